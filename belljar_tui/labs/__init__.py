"""The built-in worlds to explore."""

from belljar_tui.labs.bootstrap.description import BOOTSTRAP
from belljar_tui.labs.checkout.description import CHECKOUT
from belljar_tui.labs.lab import Lab
from belljar_tui.labs.pool.description import POOL

WORLDS: dict[str, Lab] = {lab.name: lab for lab in (CHECKOUT, POOL, BOOTSTRAP)}
LABS: dict[str, Lab] = WORLDS | {
    around.name: around for lab in WORLDS.values() for around in map(lab.around, lab.services)
}
"""The worlds, and each with another of its services in the jar: `bootstrap/vault`."""
