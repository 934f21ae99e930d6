"""A plan for another container says what the first was given, and nothing its image says by itself."""

from __future__ import annotations

from typing import Any

import pytest

from belljar_tui.jars.clone import clone_from

IMAGE = {
    "Id": "sha256:1",
    "RepoDigests": ["shop@sha256:2"],
    "Config": {"Cmd": ["serve"], "Entrypoint": ["/bin/shop"], "Env": ["PATH=/bin"], "User": "shop", "WorkingDir": ""},
}


def container(config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {"Image": "shop:1", **IMAGE["Config"], **(config or {})}  # type: ignore[dict-item]
    return {
        "Config": own,
        "HostConfig": {"Memory": 0, "NanoCpus": 0},
        "NetworkSettings": {"Networks": {"bridge": {}}},
        **more,
    }


def test_what_the_image_says_is_not_said_again() -> None:
    clone = clone_from(container(), IMAGE)
    assert (clone.plan.command, clone.plan.entrypoint, clone.plan.user, clone.plan.networks) == ((), None, "", ())
    assert (clone.variables, clone.digest) == ((), "sha256:2")


def test_variables_are_named_and_their_values_are_not() -> None:
    clone = clone_from(container({"Env": ["PATH=/bin", "DB_URL=secret"]}), IMAGE)
    assert clone.variables == ("DB_URL",)
    assert "secret" not in repr(clone)


@pytest.mark.parametrize(
    ("given", "entrypoint", "command"),
    [
        ({"Cmd": ["check"]}, None, ("check",)),
        ({"Entrypoint": ["sh", "-c"], "Cmd": ["true"]}, "sh", ("-c", "true")),
        ({"Entrypoint": None, "Cmd": ["true"]}, "", ("true",)),
    ],
)
def test_another_program_is_said(given: dict[str, Any], entrypoint: str | None, command: tuple[str, ...]) -> None:
    plan = clone_from(container(given), IMAGE).plan
    assert (plan.entrypoint, plan.command) == (entrypoint, command)


def test_mounts_networks_and_limits_come_along() -> None:
    mounts = [
        {"Type": "bind", "Source": "/conf", "Destination": "/etc/shop", "RW": False},
        {"Type": "volume", "Name": "data", "Source": "/var/lib/x", "Destination": "/data", "RW": True},
        {"Type": "tmpfs", "Source": "", "Destination": "/tmp", "RW": True},
    ]
    networks: dict[str, Any] = {"Networks": {"backend": {}, "front": {}}}
    limits = {"Memory": 1 << 20, "NanoCpus": 500_000_000}
    plan = clone_from(container(Mounts=mounts, NetworkSettings=networks, HostConfig=limits), IMAGE).plan
    assert plan.mounts == ("/conf:/etc/shop:ro", "data:/data")
    assert (plan.networks, plan.memory_bytes, plan.cpus) == (("backend", "front"), 1 << 20, 0.5)
