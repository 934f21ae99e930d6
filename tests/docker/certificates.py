"""An authority, a server's and a client's certificate, and a client's that another authority signed: by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

OF_THE_SERVER = {"tlscacert": "server/ca.pem", "tlscert": "server/cert.pem", "tlskey": "server/key.pem"}
"""Options of dockerd, and the files for them."""
CLIENT, STRANGER = "client", "stranger"
"""Folders as DOCKER_CERT_PATH wants them: one that the engine knows, and one that it does not."""
_SIGNS = "keyUsage=critical,keyCertSign,cRLSign"
"""Without it an authority is none to Python 3.13."""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def make(folder: Path) -> None:
    """All of them, in folders `server`, `client` and `stranger`."""
    for name in ("engine", "other"):
        authority = ("req", "-x509", *_KEY, "-subj", f"/CN={name}", "-addext", _SIGNS)
        _openssl(*authority, "-keyout", f"{name}.key", "-out", f"{name}.crt", at=folder)
    for name, signer in (("server", "engine"), (CLIENT, "engine"), (STRANGER, "other")):
        (folder / name).mkdir()
        request = ("req", *_KEY, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1")
        _openssl(*request, "-keyout", f"{name}/key.pem", "-out", "request", at=folder)
        sign = ("x509", "-req", "-in", "request", "-days", "2", "-copy_extensions", "copyall", "-CAcreateserial")
        _openssl(*sign, "-CA", f"{signer}.crt", "-CAkey", f"{signer}.key", "-out", f"{name}/cert.pem", at=folder)
        (folder / name / "ca.pem").write_bytes((folder / "engine.crt").read_bytes())


def _openssl(*words: str, at: Path) -> None:
    at.mkdir(exist_ok=True)
    done = subprocess.run(["openssl", *words], cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
