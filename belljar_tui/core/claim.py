"""The claim a session makes, and what stands behind it. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from belljar_tui.core.model import Health, Seal
from belljar_tui.core.profile import Profile, called_in, claim_of, profile_of
from belljar_tui.core.state import State
from belljar_tui.errors import BellJarError

_DEADLINE_S = 60.0
"""What a profile says that was saved by hand."""


class Standing(StrEnum):
    """How far a claim is to be trusted."""

    PROVEN = "proven"
    """By the trials of a search."""
    HELD = "held"
    """The service was sealed, and healthy at the end."""
    FAILED = "failed"
    """The service was sealed, and unhealthy at the end."""
    UNPROVEN = "not proven"
    """What was open at the end of a session by hand."""
    NONE = "none"
    """There is nothing to claim."""


class Claim(msgspec.Struct, frozen=True):
    standing: Standing
    words: str = ""
    """The claim as a sentence without a full stop; empty where there is none."""
    why: str = ""
    """What stands behind it, or against it: sentences."""
    profile: Profile | None = None


def claim_in(state: State, profile: Profile | None, version: str) -> Claim:
    """What the session claims; `profile` is the contract it was about, where there is one."""
    if profile is None:
        if not called_in(state) and state.search is None:
            return Claim(Standing.NONE, why="No dependency was called, so there is nothing to claim.")
        try:
            profile = _amounts_to(state, version)
        except BellJarError as error:
            return Claim(Standing.NONE, why=str(error).replace("\n", " "))
    standing, why = _standing(state)
    return Claim(standing, claim_of(profile), why, profile)


def _amounts_to(state: State, version: str) -> Profile:
    """Raises BellJarError where the session does not come to a profile."""
    return profile_of(state, deadline_s=_DEADLINE_S, date=state.started, version=version, lab=state.lab)


def _standing(state: State) -> tuple[Standing, str]:
    search = state.search
    if search is not None and search.found is not None:
        repeats = f", {search.repeated} of them repeats" if search.repeated else ""
        return Standing.PROVEN, f"By cutting, in {search.done} trials{repeats}."
    if state.seal is Seal.VACUUM and state.health is Health.HEALTHY:
        return Standing.HELD, "It held in this session: sealed, the service was healthy at the end."
    if state.seal is Seal.VACUUM and state.health is Health.UNHEALTHY:
        said = f" The check said: {state.health_detail}" if state.health_detail else ""
        return Standing.FAILED, f"It did not hold in this session: sealed, the service was unhealthy at the end.{said}"
    why = "This is what was open and called at the end of a session by hand."
    if state.health is not Health.HEALTHY:
        why += f" The service was {'not known to be healthy' if state.health is Health.UNKNOWN else 'unhealthy'} then."
    return Standing.UNPROVEN, f"{why} To prove it: belljar verify the saved profile."
