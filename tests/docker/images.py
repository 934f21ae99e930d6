"""The tests' images. Nothing is pulled: the base is a small system made by debootstrap, kept between runs.

It has Python, PostgreSQL, Redis and nginx, all from the distribution this machine runs.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import docker
from engine import LABEL

WORLD = "belljar-test/world:latest"
"""Everything in one: each container runs its own part of it."""
CHECKOUT = "belljar-test/checkout:1.4"
"""The service under test."""
SHOP = Path(__file__).parent / "shop"
_PACKAGES = ("python3", "python3-psycopg2", "python3-redis", "postgresql", "redis-server", "nginx-light")
_DATABASE = (
    'for b in /usr/lib/postgresql/*/bin; do su postgres -c "$b/initdb -A trust -D /var/lib/postgresql/shop"; done'
)
_NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")
_CHECKOUT = f"""
FROM {WORLD}
COPY checkout.py /checkout.py
ENV SHOP_NAME=shop
HEALTHCHECK --interval=30s --timeout=5s --retries=1 CMD python3 /checkout.py is-ready
LABEL {LABEL}=1
CMD ["python3", "/checkout.py"]
"""


def build(client: docker.DockerClient) -> None:
    """Make every image that is not there yet."""
    present = {tag for image in client.images.list() for tag in image.tags}
    if WORLD not in present:
        repository, tag = WORLD.split(":")
        client.api.import_image(str(world_tarball()), repository=repository, tag=tag, changes=[f"LABEL {LABEL}=1"])
    client.images.build(fileobj=_context(_CHECKOUT, SHOP), custom_context=True, tag=CHECKOUT, rm=True)


def world_tarball() -> Path:
    """The base system as a tar file; made when it is not in the cache (about a minute, mostly downloads)."""
    suite = _release("VERSION_CODENAME")
    recipe = hashlib.sha256(" ".join((suite, *_PACKAGES, _DATABASE)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belljar" / "tests"
    kept = cache / f"world-{suite}-{recipe}.tar"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="belljar-world-") as folder:
            _make_world(Path(folder) / "root", suite, kept)
    return kept


def _make_world(root: Path, suite: str, kept: Path) -> None:
    components = "main,universe" if _release("ID") == "ubuntu" else "main"
    options = ["--variant=minbase", f"--components={components}", f"--include={','.join(_PACKAGES)}"]
    _run("debootstrap", *options, suite, str(root))
    _run("chroot", str(root), "sh", "-c", _DATABASE)
    for path in _NOT_NEEDED:
        shutil.rmtree(root / path, ignore_errors=True)
    part = kept.with_suffix(".part")
    _run("tar", "--one-file-system", "-C", str(root), "-cf", str(part), ".")
    part.rename(kept)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1500:]}{done.stderr[-1500:]}"


def _release(name: str) -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith(f"{name}=")), "")


def _context(dockerfile: str, folder: Path) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        content = dockerfile.encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
        for path in sorted(folder.iterdir()):
            if path.is_file():
                tar.add(path, path.name)
    packed.seek(0)
    return packed
