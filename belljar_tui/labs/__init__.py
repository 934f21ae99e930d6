"""The built-in worlds to explore."""

from belljar_tui.labs.checkout.description import CHECKOUT
from belljar_tui.labs.lab import Lab

LABS: dict[str, Lab] = {CHECKOUT.name: CHECKOUT}
