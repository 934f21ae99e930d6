"""The built-in worlds to explore."""

from belljar_tui.labs.bootstrap.description import BOOTSTRAP
from belljar_tui.labs.checkout.description import CHECKOUT
from belljar_tui.labs.lab import Lab
from belljar_tui.labs.pool.description import POOL

LABS: dict[str, Lab] = {lab.name: lab for lab in (CHECKOUT, POOL, BOOTSTRAP)}
