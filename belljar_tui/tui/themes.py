"""A calm dark theme and a light one."""

from __future__ import annotations

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
