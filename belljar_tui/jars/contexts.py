"""The contexts of the `docker` command, as it keeps them: who is meant, and where their engine is.

Read here and not by the SDK, which looks for them beside a `config.json` that need not be there.

    ~/.docker/config.json                            currentContext
    ~/.docker/contexts/meta/SHA-256 OF NAME/meta.json    Endpoints: docker: Host, SkipTLSVerify
    ~/.docker/contexts/tls/SHA-256 OF NAME/docker/       ca.pem, cert.pem, key.pem
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from belljar_tui.errors import NoEngine

if TYPE_CHECKING:
    from docker.tls import TLSConfig

_REMEDY = "See which there are: docker context ls   and take one: docker context use NAME, or set DOCKER_CONTEXT."
_DEFAULT = "default"


class _Config(msgspec.Struct):
    currentContext: str = ""  # noqa: N815  # the file's own word


class _Docker(msgspec.Struct):
    Host: str = ""
    SkipTLSVerify: bool = False


class _Endpoints(msgspec.Struct):
    docker: _Docker


class _Meta(msgspec.Struct):
    Endpoints: _Endpoints


def settings() -> dict[str, Any]:
    """What the SDK is to be given for the current context: nothing for the default one. Raises NoEngine."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    named = os.environ.get("DOCKER_CONTEXT", "")
    name = named or _current(folder)
    by = "DOCKER_CONTEXT names it." if named else f"It is the current one in {folder}/config.json."
    if name in ("", _DEFAULT):
        return {}
    from hashlib import sha256  # loads OpenSSL, and hardly anybody names a context

    key = sha256(name.encode()).hexdigest()
    try:
        text = (folder / "contexts" / "meta" / key / "meta.json").read_bytes()
        found = msgspec.json.decode(text, type=_Meta).Endpoints.docker
    except FileNotFoundError as error:
        raise NoEngine(f"There is no Docker context {name}.", by, _REMEDY) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise NoEngine(f"The Docker context {name} cannot be read. {by}", str(error), _REMEDY) from error
    if not found.Host:
        return {}
    tls = _tls(folder / "contexts" / "tls" / key / "docker", may_skip=found.SkipTLSVerify)
    return {"base_url": found.Host, **({"tls": tls} if tls else {})}


def _current(folder: Path) -> str:
    try:
        return msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config).currentContext
    except FileNotFoundError:
        return ""
    except (OSError, msgspec.MsgspecError) as error:
        raise NoEngine(
            f"The Docker command's configuration in {folder}/config.json cannot be read.", str(error), _REMEDY
        ) from error


def _tls(folder: Path, *, may_skip: bool) -> TLSConfig | None:
    """None where the context has no certificates, and need not have any."""
    authority, own, key = (folder / f"{kind}.pem" for kind in ("ca", "cert", "key"))
    if not folder.is_dir() and not may_skip:
        return None
    from docker.tls import TLSConfig  # the SDK is heavy, and hardly any context needs it

    return TLSConfig(
        client_cert=(str(own), str(key)) if own.is_file() else None,
        ca_cert=str(authority) if authority.is_file() else None,
        verify=not may_skip,
    )
