"""A native jar of the lab `checkout`, for a program of the tests' own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from namespaces import ROOT

from belljar_tui.core.model import Wanted
from belljar_tui.jars.namespaces import NamespaceJar
from belljar_tui.labs import LABS
from belljar_tui.wire.messages import Prepare

LAB = LABS["checkout"]


def lab_jar(service: Sequence[str], wanted: Wanted, log: Path) -> NamespaceJar:
    """Not yet started. What the service prints goes to `log`."""
    prepare = Prepare(
        service=tuple(service),
        wanted=wanted,
        environment=dict(os.environ),
        directory=str(ROOT),
        user=os.geteuid(),
        group=os.getegid(),
        nameservers=LAB.nameservers,
        log_path=str(log),
    )
    return NamespaceJar(prepare, lab=LAB.name, clock_zero=time.monotonic())
