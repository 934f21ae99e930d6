"""A calm dark theme and a light one."""

from __future__ import annotations

from rich.terminal_theme import TerminalTheme
from textual.theme import Theme

DARK = Theme(
    name="belljar-dark",
    primary="#7aa2c8",
    secondary="#8fb8a8",
    warning="#d9b26a",
    error="#d9756a",
    success="#8fbf7f",
    background="#14181d",
    surface="#191e24",
    panel="#20272f",
    dark=True,
)
LIGHT = Theme(
    name="belljar-light",
    primary="#2f5d87",
    secondary="#3e7566",
    warning="#8a6414",
    error="#a83a2e",
    success="#3f7a2e",
    background="#fafaf7",
    surface="#f2f2ed",
    panel="#e8e8e1",
    dark=False,
)

Rgb = tuple[int, int, int]


def _named(named: tuple[Rgb, Rgb, Rgb, Rgb, Rgb], plain: Rgb, background: Rgb) -> TerminalTheme:
    """What `red`, `green`, `yellow`, `magenta` and `cyan` look like, bright or not; nothing else is used by name."""
    red, green, yellow, magenta, cyan = named
    eight = [background, red, green, yellow, plain, magenta, cyan, plain]
    return TerminalTheme(background, plain, eight, eight)


NAMED_DARK = _named(
    ((255, 107, 107), (127, 224, 127), (255, 215, 95), (240, 120, 240), (95, 225, 225)),
    plain=(217, 217, 217),
    background=(20, 24, 29),
)
"""Each is nearest to its own name among 16 colours, and light enough to be read in greys (NO_COLOR)."""
NAMED_LIGHT = _named(
    ((168, 42, 32), (20, 120, 20), (128, 92, 16), (140, 30, 140), (0, 125, 125)),
    plain=(40, 40, 40),
    background=(250, 250, 247),
)
