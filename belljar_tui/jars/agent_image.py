"""The image of the agent: a base with Python, our own package and the few that the agent needs.

They are taken from the running environment, so the build needs no network; and the build proves that the agent can be
loaded on that base.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import platform
import sys
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import belljar_tui
from belljar_tui import __version__
from belljar_tui.errors import EngineDiskFull, EngineError, NoSuchImage
from belljar_tui.jars.engine import Engine
from belljar_tui.jars.labels import AGENT_IMAGE, VERSION

TAG = AGENT_IMAGE
CONTENT, BASE = "belljar.content", "belljar.base"
"""Labels: what the image was built from."""
DEFAULT_BASE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
_PACKAGES = ("pyroute2", "dnspython", "psutil", "msgspec")
_OURS = ("__init__.py", "errors.py", "core", "wire", "agent")
_DOCKERFILE = """
FROM {base}
COPY content /opt/belljar
ENV PYTHONPATH=/opt/belljar PYTHONDONTWRITEBYTECODE=1
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/belljar
RUN PYTHONDONTWRITEBYTECODE= python3 -S -P -c "import belljar_tui.agent.main, belljar_tui.agent.dns_text"
CMD ["python3", "-S", "-P", "-c", "from belljar_tui.agent.loading import run; run()"]
"""


async def require(engine: Engine, say: Callable[[str], None]) -> str:
    """The agent image's tag; built when it is missing or was built from anything else than what runs here."""
    labels = await _labels(engine)
    if labels.get(CONTENT) == content():
        return TAG
    base = labels.get(BASE, DEFAULT_BASE)
    say(f"belljar: building the agent's image {TAG} on {base}; once for each version")
    return await build(engine, base)


async def is_ours(engine: Engine) -> bool:
    """Whether there is one, built from what runs here."""
    return (await _labels(engine)).get(CONTENT) == content()


async def _labels(engine: Engine) -> dict[str, str]:
    try:
        return (await engine.image(TAG))["Config"].get("Labels") or {}
    except NoSuchImage:
        return {}


async def build(engine: Engine, base: str = DEFAULT_BASE) -> str:
    """Build it. Returns the tag. Raises NoSuchImage when there is no such base, EngineError when it will not do."""
    try:
        await engine.image(base)
    except NoSuchImage as error:
        raise NoSuchImage(
            f"The agent's image cannot be built: the engine has no image {base}.",
            f"The agent runs on an image with Python {_version()}; BellJar itself pulls nothing.",
            f"Get it with: docker pull {base}   or name another one: belljar agent-image --base IMAGE",
        ) from error
    try:
        await engine.build(_context(base), TAG, {CONTENT: content(), BASE: base, VERSION: __version__})
    except EngineDiskFull as error:
        raise EngineDiskFull("The agent's image cannot be built.", error.why, error.remedy) from error
    except EngineError as error:
        raise EngineError(
            f"The agent's image cannot be built on {base}.",
            error.why,
            f"It needs python3 {_version()} of the same kind of system as this one ({platform.machine()}, "
            f"{platform.libc_ver()[0] or 'another libc'}): belljar agent-image --base IMAGE",
        ) from error
    return TAG


@cache
def content() -> str:
    """What stands for the image's content: our own files, the packages' versions, the Python and the machine."""
    digest = hashlib.sha256()
    facts = [_DOCKERFILE, _version(), platform.machine(), *(importlib.metadata.version(name) for name in _PACKAGES)]
    digest.update("\n".join(facts).encode())
    for name, path in _our_files():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _context(base: str) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        dockerfile = _DOCKERFILE.format(base=base).encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile))
        for name, path in (*_our_files(), *_package_files()):
            tar.add(path, f"content/{name}", recursive=False, filter=_plain)
    packed.seek(0)
    return packed


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's in particular, readable by all, and of no date: the engine's build cache goes by all of it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o644
    return entry


def _our_files() -> Iterator[tuple[str, Path]]:
    folder = Path(belljar_tui.__file__).parent
    for part in _OURS:
        whole = folder / part
        for path in sorted(whole.rglob("*.py")) if whole.is_dir() else [whole]:
            yield f"belljar_tui/{path.relative_to(folder)}", path


def _package_files() -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        for file in importlib.metadata.files(package) or ():
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            path = Path(str(file.locate()))
            if path.is_file():
                yield str(file), path
