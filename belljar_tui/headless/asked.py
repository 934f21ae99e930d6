"""What somebody asked to have opened. Light: it is known before most of BellJar is loaded."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from belljar_tui.core.model import Wanted
from belljar_tui.jars.plan import Plan
from belljar_tui.labs import LABS
from belljar_tui.wire.messages import Checks

if TYPE_CHECKING:
    from belljar_tui.jars.beginning import Beginning
    from belljar_tui.jars.clone import Clone
    from belljar_tui.jars.target import Target
    from belljar_tui.jars.waiting_agent import WaitingAgent


class Attached(msgspec.Struct, frozen=True):
    """What runs already and is to be sealed, and how it is entered."""

    target: Target
    via: str
    """`host` or `sidecar`."""
    waiting: WaitingAgent | None = None
    """Started ahead, for `host`."""
    clone: Clone | None = None
    """How another one like it is started; None for a process."""


class Asked(msgspec.Struct, frozen=True):
    """What somebody asked to have opened."""

    name: str
    command: tuple[str, ...]
    health: Checks
    wanted: Wanted = Wanted()
    environment: dict[str, str] = {}
    added: tuple[str, ...] = ()
    """Names of environment variables asked for one by one; the profile names them."""
    forward: tuple[int, ...] = ()
    lab: str | None = None
    faults: tuple[str, ...] = ()
    """What is broken in the lab; no event tells."""
    drill: str = ""
    """The drill it is, as it was asked for: its name or its file."""
    journal: str | None = None
    deadline_s: float = 60.0
    plan: Plan | None = None
    """The service's container, where it is one."""
    digest: str = ""
    """Of the container's image."""
    beginning: Beginning | None = None
    """What has begun of its jar."""
    attached: Attached | None = None
    """Where it runs already."""
    has_virtual_addresses: bool = True
    """Where the jar is ours: names that share an address are cut one by one."""


def asked_for_lab(lab_name: str, wanted: Wanted, health: Checks | None = None, name: str | None = None) -> Asked:
    """What it takes to open a built-in lab. `name`: of the session, where it is not to be its service's."""
    lab = LABS[lab_name]
    timing = health or Checks()
    return Asked(
        name=name or lab.in_jar,
        command=(sys.executable, *lab.service),
        health=msgspec.structs.replace(timing, checks=timing.checks or lab.checks),
        wanted=wanted,
        environment=dict(os.environ),
        lab=lab.name,
    )
