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
PORTS = {"identity": 7001, "storage": 7002, "vault": 7003, "scheduler": 7004}

BOOTSTRAP = Lab(
    name="bootstrap",
    summary="five services to be started from nothing; the portal is in the jar, and three of the others are a circle",
    service=("-P", "-m", "belljar_tui.labs.bootstrap.service"),
    checks=("http://localhost:8080/ready",),
    nameservers=("10.77.1.53",),
    hosts={"identity.lab": "31", "storage.lab": "32", "vault.lab": "33", "scheduler.lab": "34"},
    truth=Truth(always=tuple(f"tcp://{name}.lab:{port}" for name, port in PORTS.items())),
    can_be_cold=True,
)
