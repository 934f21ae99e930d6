"""Where the engine is, a connection to it, and why there is none.

What says where: DOCKER_HOST; else the context that DOCKER_CONTEXT or the `docker` command's own configuration names.
"""

from __future__ import annotations

import os
from typing import Any

import docker
import requests
from docker.errors import DockerException
from docker.utils import kwargs_from_env
from requests.adapters import HTTPAdapter

from belljar_tui.errors import EngineError, NoEngine, OldEngine
from belljar_tui.jars import contexts
from belljar_tui.jars.ssh import SshClient, by_hand

API_AT_LEAST = (1, 40)
_OLDEST = ".".join(map(str, API_AT_LEAST))
HERE = "unix:///var/run/docker.sock"
_FIRST_ANSWER_S, CALL_S = 30, 120
"""How long the first answer may take (a host that swallows our packets says nothing at all), and each after it."""
_START_IT = "Start it (sudo systemctl start docker), or set DOCKER_HOST. Without an engine: belljar run -- COMMAND"


def address() -> str:
    """Of the engine that would be taken. Raises NoEngine when that cannot be told."""
    return _settings().get("base_url") or HERE


def connected() -> docker.APIClient:
    """A client of an engine that has answered. Raises NoEngine or OldEngine."""
    settings = _settings()
    where = settings.get("base_url") or HERE
    api: docker.APIClient | None = None
    try:
        api = _client(settings)
        # as the SDK finds it by itself, but not before the client is as we want it
        setattr(api, "_version", str(api.version(api_version=False)["ApiVersion"]))  # noqa: B010  # the stub lacks it
    except (DockerException, requests.RequestException, KeyError, TypeError, ValueError) as error:
        words = str(error)
        if api is not None:
            words = api.words() or words if isinstance(api, SshClient) else words
            api.close()
        raise _no_engine(where, words) from error
    spoken = tuple(int(part) for part in api.api_version.split("."))
    if spoken < API_AT_LEAST:
        api.close()
        raise OldEngine(
            f"The Docker engine at {where} speaks API {api.api_version} at most.",
            f"BellJar needs {_OLDEST} (Docker 19.03) or newer.",
            "Update the engine.",
        )
    api.timeout = CALL_S
    return api


def _client(settings: dict[str, Any]) -> docker.APIClient:
    """One that has asked for nothing yet."""
    if settings.get("base_url", "").startswith("ssh://"):
        return SshClient(settings["base_url"], _OLDEST, _FIRST_ANSWER_S)
    api = docker.APIClient(**settings, version=_OLDEST, timeout=_FIRST_ANSWER_S)
    if isinstance(api.verify, str):
        api.mount("https://", _Vouched(api.verify))
    return api


class _Vouched(HTTPAdapter):
    """TLS with the authority that was asked for; else a REQUESTS_CA_BUNDLE in the environment would overrule it."""

    def __init__(self, authority: str) -> None:
        super().__init__()
        self._authority = authority

    def cert_verify(self, conn: Any, url: str, verify: object, cert: Any) -> None:
        super().cert_verify(conn, url, self._authority, cert)  # type: ignore[no-untyped-call]  # the stub has none

    def build_connection_pool_key_attributes(self, request: Any, verify: object, cert: Any = None) -> Any:
        return super().build_connection_pool_key_attributes(request, self._authority, cert)


def _settings() -> dict[str, Any]:
    """What the SDK is to be given: `base_url` where it is not the default one, and `tls`."""
    try:
        return dict(kwargs_from_env()) if os.environ.get("DOCKER_HOST") else contexts.settings()
    except DockerException as error:
        folder = os.environ.get("DOCKER_CERT_PATH") or "~/.docker"
        raise NoEngine(
            "The certificates for the Docker engine cannot be used.",
            f"{error} They are looked for in {folder}: ca.pem, cert.pem and key.pem.",
            "Set DOCKER_CERT_PATH to the folder that has them.",
        ) from error


def _no_engine(where: str, words: str) -> EngineError:
    if where.startswith("ssh://"):
        return _no_engine_by_ssh(where, words)
    if "Permission denied" in words or "PermissionError" in words:
        return NoEngine(
            f"This user may not speak to the Docker engine at {where}.",
            "Its socket is closed to them: permission denied.",
            "Run belljar as a member of the group docker, or with sudo; or set DOCKER_HOST to a rootless engine.",
        )
    if "client version" in words and "too" in words:
        return OldEngine(f"The Docker engine at {where} is too old.", words, "Update the engine.")
    if reason := _tls_reason(words):
        return NoEngine(
            f"The Docker engine at {where} and BellJar do not agree on TLS.",
            f"{reason} ({_first_line(words)})",
            "Check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH (ca.pem, cert.pem, key.pem), or those of the context.",
        )
    remedy = _START_IT if where.startswith("unix://") else f"Is it there, and open to this machine? {_START_IT}"
    return NoEngine(f"No Docker engine answers at {where}.", _first_line(words), remedy)


_TLS = (
    ("HTTP request to an HTTPS server", "It wants TLS, and BellJar was not told to speak it."),
    ("WRONG_VERSION_NUMBER", "It does not speak TLS, and BellJar was told to."),
    ("Hostname mismatch", "Its certificate is another host's."),
    ("IP address mismatch", "Its certificate is another host's."),
    ("CERTIFICATE_VERIFY_FAILED", "Its certificate is not one that ca.pem vouches for."),
    ("CERTIFICATE_REQUIRED", "It wants a client's certificate, and BellJar has none."),
    ("BAD_CERTIFICATE", "It does not accept our certificate."),
    ("UNKNOWN_CA", "It does not know who signed our certificate."),
    ("EOF occurred", "It hung up: most likely it does not accept our certificate."),
    ("SSL", "TLS failed."),
)


def _tls_reason(words: str) -> str:
    plain = words.replace(" ", "_").upper()
    return next((reason for sign, reason in _TLS if sign.replace(" ", "_").upper() in plain), "")


_SSH: tuple[tuple[str, str, str], ...] = (
    (
        "host key verification failed",
        "ssh does not know that host's key, or knows another one.",
        "See to it by hand first, and compare the key's fingerprint: ssh {host}",
    ),
    (
        "connect: permission denied",
        "The user there may not speak to the engine.",
        "Make them a member of that machine's group docker, or name another user: ssh://USER@HOST",
    ),
    (
        "permission denied (",
        "ssh is not let in. BellJar lets it ask for nothing, no password and no passphrase.",
        "Load a key into the agent (ssh-add) until this works without a question: ssh {host} docker version",
    ),
    (
        "failed to open the raw stream connection",
        "ssh is let in, and no engine runs there.",
        "Start it there: ssh {host} sudo systemctl start docker",
    ),
    (
        "not found",
        "ssh is let in, and there is no docker command there.",
        "Install it there (docker.io, or docker-cli), in that user's PATH: ssh {host} docker version",
    ),
)


def _no_engine_by_ssh(where: str, words: str) -> EngineError:
    known = ((why, remedy) for sign, why, remedy in _SSH if sign in words.lower())
    why, remedy = next(known, ("ssh does not get there.", "Try by hand: ssh {host} docker version"))
    return NoEngine(
        f"The Docker engine at {where} cannot be reached.",
        f"{why}\n{words}",
        remedy.format(host=by_hand(where)),
    )


def _first_line(words: str) -> str:
    """The SDK wraps the reason into what it was doing when it met it."""
    return words.rpartition("Caused by ")[2].splitlines()[0][:300] if words else ""
