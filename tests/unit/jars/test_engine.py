"""Reaching an engine, or saying why not."""

from __future__ import annotations

from typing import Any, cast

import docker
import pytest
import requests
from docker.errors import APIError, DockerException

from belljar_tui.errors import EngineDiskFull, EngineError, NoEngine, OldEngine
from belljar_tui.jars import engine as engines
from belljar_tui.jars import reaching


class Fake:
    verify = None

    def __init__(self, offered: str) -> None:
        self._version = "none"
        self._offered = offered

    @property
    def api_version(self) -> str:
        return self._version

    def version(self, *, api_version: bool) -> dict[str, str]:
        assert not api_version
        return {"ApiVersion": self._offered}

    def close(self) -> None:
        return


def connect_to(monkeypatch: pytest.MonkeyPatch, answer: Any) -> EngineError:
    """Connect where the SDK answers with this; the error it becomes."""

    def client(**_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setenv("DOCKER_HOST", "unix:///run/test.sock")
    monkeypatch.setattr(docker, "APIClient", client)
    with pytest.raises(EngineError) as raised:
        reaching.connected()
    assert raised.value.exit_code == 4
    assert raised.value.remedy
    return raised.value


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2, 'No such file'))"
    error = connect_to(monkeypatch, DockerException(words))
    assert isinstance(error, NoEngine)
    assert "No Docker engine answers at unix:///run/test.sock" in str(error)


def test_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Error while fetching server API version: ('Connection aborted.', PermissionError(13, 'Permission denied'))"
    error = connect_to(monkeypatch, DockerException(words))
    assert isinstance(error, NoEngine)
    assert "may not speak" in str(error)
    assert "group docker" in str(error)


def test_an_old_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(connect_to(monkeypatch, Fake("1.39")), OldEngine)


def test_a_new_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "APIClient", lambda **_: Fake("1.40"))
    assert reaching.connected().api_version == "1.40"


def test_a_full_disk_is_called_that_with_what_to_do() -> None:
    """The engine's own words, as it said them."""
    words = "write /var/lib/docker/overlay2/0b-init/link: no space left on device"

    def refuse() -> None:
        raise APIError("500 Server Error", explanation=words)

    with pytest.raises(EngineDiskFull) as raised:
        engines._translated(refuse)
    assert (raised.value.exit_code, words in raised.value.why) == (4, True)
    assert "docker system" in raised.value.remedy


class Resisting:
    """An engine where a container is being removed, and started by somebody meanwhile: it is never removed by that."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def remove_container(self, _container: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self.refusals -= 1
        if self.refusals >= 0:
            response = requests.Response()
            response.status_code = 409
            raise APIError("removal of container is already in progress", response=response)

    def wait(self, _container: str, *, condition: str, timeout: int) -> None:
        assert (condition, 0 < timeout < 10) == ("removed", True)
        raise requests.ConnectionError("read timed out")


def test_a_removal_that_fails_is_asked_for_again() -> None:
    resisting = Resisting(2)
    engines._remove(cast(docker.APIClient, resisting), "c")
    assert resisting.refusals == -1


def test_a_container_that_resists_for_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("belljar_tui.jars.engine._REMOVED_S", 0.0)
    with pytest.raises(APIError):
        engines._remove(cast(docker.APIClient, Resisting(1 << 30)), "c")
