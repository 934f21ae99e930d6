"""How values are written on the screen: one place, so that every panel says the same thing the same way."""

from __future__ import annotations

from datetime import datetime, timedelta

from belljar_tui.core.events import HoleFound
from belljar_tui.core.model import Health, Mode, Reach, Settings
from belljar_tui.core.state import DependencyView, State

IDLE_AFTER_S = 5.0

STYLE_OPEN, STYLE_CUT, STYLE_BLOCKED, STYLE_IDLE = "green", "yellow", "bold red", "dim"
STYLE_DOWN = "magenta"
HEALTH_GLYPHS = {Health.HEALTHY: "●", Health.UNHEALTHY: "✗", Health.UNKNOWN: "?"}
HEALTH_STYLES = {Health.HEALTHY: "bold green", Health.UNHEALTHY: "bold red", Health.UNKNOWN: "yellow"}


def clock(seconds: float) -> str:
    """12:04, or 1:02:03 from an hour on."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    tail = f"{minutes:02}:{whole % 60:02}"
    return f"{hours}:{tail}" if hours else tail


def time_of_day(started: str, seconds: float) -> str:
    """12:04:31, `seconds` after an ISO 8601 moment; empty when that is none."""
    try:
        return f"{datetime.fromisoformat(started) + timedelta(seconds=seconds):%H:%M:%S}"
    except ValueError:
        return ""


def fitted(text: str, width: int) -> str:
    """Exactly `width` cells of it; of a path the end."""
    if len(text) <= width:
        return text.ljust(width)
    return "…" + text[1 - width :] if text.startswith("/") else text[: width - 1] + "…"


def rate(bytes_per_s: float) -> str:
    """1.2k/s"""
    if bytes_per_s < 1:
        return ""
    for unit in ("", "k", "M"):
        if bytes_per_s < 1000:
            return f"{bytes_per_s:.0f}{unit}/s" if bytes_per_s >= 10 or not unit else f"{bytes_per_s:.1f}{unit}/s"
        bytes_per_s /= 1000
    return f"{bytes_per_s:.1f}G/s"


def size(count: int) -> str:
    """5.7 kB"""
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= of:
            return f"{count / of:.1f} {unit}"
    return f"{count} B"


def split_id(view: DependencyView) -> tuple[str, str]:
    """Host and port as a row shows them; the protocol is named where it is not TCP."""
    scheme, _, rest = view.id.partition("://")
    if not rest:
        return ("name service", "") if scheme == "dns:" else (scheme.removeprefix("unix:"), "unix")
    host, _, port = rest.rpartition(":")
    if not host:
        return rest, scheme
    return host, port if scheme == "tcp" else f"{port}/{scheme}"


_CLAIM_LEAST = 6


def named(host: str, view: DependencyView, width: int) -> str:
    """Exactly `width` cells of a row's name; where there is room, what the calls to a raw address say it is."""
    room = width - len(host) - len(" “”")
    if not view.claims or room < min(_CLAIM_LEAST, len(view.claims[0])):
        return fitted(host, width)
    name = view.claims[0]
    return f"{host} “{name if len(name) <= room else name[: room - 1] + '…'}”".ljust(width)


def endpoint(view: DependencyView, text: str) -> str:
    """An endpoint, and how the service reaches it where its address belongs to another name."""
    return f"{text} as {view.virtual[text]}" if text in view.virtual else text


def is_idle(state: State, view: DependencyView) -> bool:
    return state.at - view.active_at > IDLE_AFTER_S


def glyph(state: State, view: DependencyView) -> tuple[str, str]:
    """A row's glyph and style: state is never colour alone."""
    if view.is_cut:
        was_hit = view.blocked_at is not None and view.cut_at is not None and view.blocked_at >= view.cut_at
        return "✂", STYLE_BLOCKED if was_hit else STYLE_CUT
    if state.is_down(view):
        return "↓", STYLE_DOWN
    idle, opened = ("◎", "◉") if view.is_group else ("○", "●")
    return (idle, STYLE_IDLE) if is_idle(state, view) else (opened, STYLE_OPEN)


_HOLES = {
    "engine": "the engine's own socket",
    "socket": "a socket of the host's",
    "files": "files of the host's",
    "family": "to a virtual machine's host, past every ruleset",
    "mounts": "for a process with mounts of its own",
}


def hole(found: HoleFound) -> str:
    """/var/run/docker.sock (the engine's own socket)"""
    return f"{found.path} ({_HOLES.get(found.kind, found.kind)})"


def reach(state: State, view: DependencyView) -> str:
    """multicast: whoever has joined the group"""
    if view.reach is Reach.BROADCAST:
        return "broadcast: everybody on the network"
    is_member = split_id(view)[0].strip("[]") in state.groups
    return f"multicast: whoever has joined the group{', the service too' if is_member else ''}"


def activity(state: State, view: DependencyView) -> str:
    """The last column of a row."""
    if view.mode is Mode.SLOW:
        return f"{view.met_now} late" if view.met_now else "no call yet"
    if view.is_cut:
        return f"{view.blocked_now} blocked" if view.blocked_now else "no call yet"
    if state.is_down(view):
        return "down"
    return rate(view.bytes_per_s) or ("idle" if is_idle(state, view) else "")


def verdict(view: DependencyView) -> tuple[str, str]:
    """What cutting it has shown: `needed`, `tolerated`, or nothing yet; then of a group that it is one."""
    found = {trying.health for trying in view.tried}
    if Health.UNHEALTHY in found:
        return "needed", "red"
    if Health.HEALTHY in found:
        return "tolerated", "green"
    return (str(view.reach), "cyan") if view.is_group else ("", "")


TRIED_GLYPHS = {Health.UNHEALTHY: "✗", Health.HEALTHY: "✓", Health.UNKNOWN: "?"}


_LIKE_IP_ADDRESSES = (13, 14, 25, 26)
"""Letters of a path that, with what goes with it, is as long as an IPv4 or an IPv6 address."""


def uncounted(path: str) -> str:
    """What the numbers of a unix socket leave out."""
    by_length = ", calls of this length of path" if len(path) in _LIKE_IP_ADDRESSES else ""
    return f"calls by sendmsg{by_length} are cut, too, but may not be counted"


_ALWAYS_SHOWN = (Mode.REFUSE, Mode.BLACKHOLE)


def tried(view: DependencyView) -> str:
    """refuse ✗   blackhole ?"""
    known = {trying.mode: TRIED_GLYPHS[trying.health] for trying in view.tried}
    modes = dict.fromkeys((*_ALWAYS_SHOWN, *known))
    return "   ".join(f"{mode} {known.get(mode, '·')}" for mode in modes)


def slow(settings: Settings) -> str:
    """0.5 s ±0.1, 125.0 kB/s"""
    jitter = f" ±{settings.jitter_s:g}" if settings.jitter_s else ""
    bandwidth = f"{size(settings.bytes_per_s)}/s" if settings.bytes_per_s is not None else ""
    delay = f"{settings.slow_by_s:g} s{jitter}" if settings.slow_by_s or not bandwidth else ""
    return ", ".join(each for each in (delay, bandwidth) if each)


def how(view: DependencyView) -> str:
    """Its cut's mode with what the mode leaves open: `flaky 30 %, refuse`; empty when it is open."""
    settings = view.settings
    match view.mode:
        case None:
            return ""
        case Mode.DNS:
            return f"dns {settings.answer}"
        case Mode.FLAKY:
            return f"flaky {settings.fraction * 100:g} %, {settings.fails_by}"
        case Mode.SLOW:
            return f"slow {slow(settings)}"
        case Mode.RESET if settings.after_bytes is not None:
            return f"reset after {size(settings.after_bytes)}"
        case _:
            return str(view.mode)
