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

ANSI_DARK = TerminalTheme(
    (20, 24, 29),
    (214, 219, 224),
    [
        (32, 39, 47),
        (217, 117, 106),
        (143, 191, 127),
        (217, 178, 106),
        (122, 162, 200),
        (190, 146, 196),
        (120, 190, 190),
        (214, 219, 224),
    ],
)
"""What `green`, `red` and the others are on a dark screen: calm too."""
ANSI_LIGHT = TerminalTheme(
    (250, 250, 247),
    (40, 44, 48),
    [
        (40, 44, 48),
        (168, 58, 46),
        (63, 122, 46),
        (138, 100, 20),
        (47, 93, 135),
        (120, 66, 130),
        (30, 112, 116),
        (90, 96, 102),
    ],
)
ANSI_SIXTEEN = TerminalTheme(
    (0, 0, 0),
    (255, 255, 255),
    [
        (0, 0, 0),
        (170, 0, 0),
        (0, 170, 0),
        (170, 85, 0),
        (0, 0, 170),
        (170, 0, 170),
        (0, 170, 170),
        (170, 170, 170),
    ],
)
"""The very colours Rich takes the sixteen for: whatever comes nearest to `green` among them stays green (a calm green
would turn white)."""
