"""The bootstrap lab in words: who is there, and what is really needed."""

from belljar_tui.labs.lab import Lab, Truth

NEEDS: dict[str, tuple[str, ...]] = {
    "portal": ("identity", "storage", "vault", "scheduler"),
    "identity": ("storage",),
    "storage": ("vault",),
    "vault": ("identity",),
    "scheduler": (),
}
"""Service -> what it needs to start from cold. Nobody drew it: identity, storage and vault wait for one another."""
TELLS: dict[str, tuple[str, ...]] = {"identity": ("scheduler",), "vault": ("scheduler",), "scheduler": ("storage",)}
"""Service -> whom it calls all the same, and does without: from the calls alone the scheduler were in the circle."""
PORTS = {"identity": 7001, "storage": 7002, "vault": 7003, "scheduler": 7004}


def _ids(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"tcp://{name}.lab:{PORTS[name]}" for name in names)


BOOTSTRAP = Lab(
    name="bootstrap",
    summary="five services to be started from nothing; the portal is in the jar, and three of the others are a circle",
    service=("-P", "-m", "belljar_tui.labs.bootstrap.service"),
    checks=("http://localhost:8080/ready",),
    nameservers=("10.77.1.53",),
    hosts={"identity.lab": "31", "storage.lab": "32", "vault.lab": "33", "scheduler.lab": "34"},
    truth=Truth(always=_ids(NEEDS["portal"])),
    can_be_cold=True,
    services={
        "portal": Truth(always=_ids(NEEDS["portal"])),
        **{name: Truth(always=(), cold_only=_ids(NEEDS[name]), tolerated=_ids(TELLS.get(name, ()))) for name in PORTS},
    },
)
