"""What both containers are to be, as the engine's API wants them."""

from __future__ import annotations

import pytest

from belljar_tui.errors import UsageError
from belljar_tui.jars.plan import Plan, agent_config, command_of, own_check_of, require_sensible, service_config

IMAGE = {
    "Config": {
        "Entrypoint": ["/entry"],
        "Cmd": ["serve"],
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30_000_000_000, "Retries": 3},
    }
}


def test_networks_aliases_and_ports_belong_to_the_agent() -> None:
    plan = Plan(image="web:1", networks=("back", "front"), aliases=("web",), ports=("127.0.0.1:8080:80", "53:53/udp"))
    agent = agent_config(plan, "belljar-agent:1", "s1")
    assert agent["HostConfig"]["NetworkMode"] == "back"
    assert agent["NetworkingConfig"]["EndpointsConfig"] == {"back": {"Aliases": ["web"]}}
    assert agent["HostConfig"]["PortBindings"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8080"}]
    assert set(agent["ExposedPorts"]) == {"80/tcp", "53/udp"}
    service = service_config(plan, "a1", "s1", environment={}, own_check=None)
    assert "PortBindings" not in service["HostConfig"]
    assert service["HostConfig"]["NetworkMode"] == "container:a1"


def test_both_carry_our_labels_and_go_when_they_end() -> None:
    plan = Plan(image="web:1")
    for config in (agent_config(plan, "i", "s1"), service_config(plan, "a1", "s1", environment={}, own_check=None)):
        assert config["Labels"]["belljar.session"] == "s1"
        assert config["Labels"]["belljar.version"]
        assert config["HostConfig"]["AutoRemove"]


def test_the_images_own_check_is_asked_often_enough_for_a_trial() -> None:
    own = own_check_of(IMAGE)
    check = service_config(Plan(image="web:1"), "a1", "s1", environment={}, own_check=own)["Healthcheck"]
    assert check == {"Test": ["CMD", "true"], "Interval": 1_000_000_000, "Retries": 3}
    assert service_config(Plan(image="web:1"), "a1", "s1", environment={}, own_check=None)["Healthcheck"] == {
        "Test": ["NONE"]
    }
    assert own_check_of({"Config": {"Healthcheck": {"Test": ["NONE"]}}}) is None
    assert own_check_of({"Config": {}}) is None


@pytest.mark.parametrize(
    ("plan", "runs"),
    [
        (Plan(image="i"), ("/entry", "serve")),
        (Plan(image="i", command=("check", "-v")), ("/entry", "check", "-v")),
        (Plan(image="i", entrypoint="/bin/sh"), ("/bin/sh",)),
        (Plan(image="i", entrypoint="/bin/sh", command=("-c", "x")), ("/bin/sh", "-c", "x")),
    ],
)
def test_what_runs_is_what_docker_run_would_run(plan: Plan, runs: tuple[str, ...]) -> None:
    assert command_of(plan, IMAGE) == runs


def test_a_mount_is_left_away_by_its_path_or_its_source() -> None:
    plan = Plan(image="i", mounts=("/run/docker.sock:/s", "data:/data", "/etc:/host:ro"), without_mounts=("/s", "/etc"))
    assert plan.kept_mounts == ("data:/data",)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(image="i", networks=("host",)),
        Plan(image="i", networks=("container:web",)),
        Plan(image="i", networks=("none", "back")),
        Plan(image="i", without_mounts=("/nowhere",)),
        Plan(image="i", ports=("eighty",)),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(plan: Plan) -> None:
    with pytest.raises(UsageError):
        require_sensible(plan)
