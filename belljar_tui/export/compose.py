"""`compose`: a Compose file of a sealed environment: the service on a network without a way out (`internal: true`),
and a stand-in service for each member's host, which carries the member's name as its alias.

Images are yours: each is a variable, and `docker compose up` says which one is missing. A member on the service's own
loopback shares its network namespace, a Unix socket is mounted from the machine, name service is Docker's own. The
profile's checks become the health check, so that `docker compose up --wait` proves the claim.

It cannot say: members called by a raw address (no alias stands in for one), and *how* the rest fails: names nobody
carries do not resolve, and addresses are unreachable at once. No port of an internal network can be published.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from belljar_tui.core.check import EXEC, IMAGE_CHECK, TCP, parse_check
from belljar_tui.core.model import Dependency, Protocol
from belljar_tui.core.profile import Profile
from belljar_tui.export.comment import heading
from belljar_tui.export.contract import Contract, Exported, is_address, is_local
from belljar_tui.export.manifest import rendered
from belljar_tui.export.names import slug, slugs

NETWORK = "sealed"
_DAY_MS = 86_400_000
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ALIAS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

Entry = dict[str, object]
Hosts = dict[str, list[Dependency]]
"""Host -> the members there."""


def export(contract: Contract) -> Exported:
    notes = tuple(_notes(contract))
    name = slug(contract.profile.name)
    hosts = _hosts(contract)
    names = slugs(hosts, taken=[name])
    purpose = (
        "The working set as a sealed environment: the service and its stand-ins, on a network without a way out. Set "
        "the images in the environment or in .env, then prove it: docker compose up --wait."
    )
    services: dict[str, object] = {
        name: _service(contract, name, [names[host] for host in hosts if not is_local(host)])
    }
    services |= {names[host]: _stand_in(names[host], host, members, name) for host, members in hosts.items()}
    head = "\n".join(heading(contract, purpose, notes)) + "\n"
    body = {"name": f"{name}-sealed", "services": services, "networks": {NETWORK: {"internal": True}}}
    return Exported(head + rendered(body), notes)


def _hosts(contract: Contract) -> Hosts:
    """Hosts a container can stand in for; all names of loopback are one."""
    hosts: Hosts = {}
    for member in contract.members:
        if member.protocol in (Protocol.DNS, Protocol.UNIX):
            continue
        if is_local(member.host):
            hosts.setdefault("localhost", []).append(member)
        elif not is_address(member.host) and _ALIAS.fullmatch(member.host):
            hosts.setdefault(member.host, []).append(member)
    return dict(sorted(hosts.items()))


def _service(contract: Contract, name: str, stand_ins: list[str]) -> Entry:
    profile = contract.profile
    container = profile.service.container
    entry: Entry = {"image": _literal(container.image) if container else _image(name, f"the image of {profile.name}")}
    if profile.service.command:
        entry["command"] = [_literal(word) for word in profile.service.command]
    if profile.service.environment:
        entry["environment"] = sorted({_literal(variable) for variable in profile.service.environment})
    if profile.service.limits.memory_mb is not None:
        entry["mem_limit"] = f"{profile.service.limits.memory_mb}m"
    if profile.service.limits.cpus is not None:
        entry["cpus"] = profile.service.limits.cpus
    entry["networks"] = [NETWORK]
    if stand_ins:
        entry["depends_on"] = sorted(stand_ins)
    if sockets := [m.host for m in contract.members if m.protocol is Protocol.UNIX]:
        entry["volumes"] = [_mount(path) for path in sockets]
    if check := _check(profile):
        entry["healthcheck"] = check
    return entry


def _stand_in(name: str, host: str, members: list[Dependency], service: str) -> Entry:
    ports = ", ".join(f"{m.protocol} {m.port}" if m.port else str(m.protocol) for m in members)
    image = _image(name, f"an image that stands in for {host}, {ports}")
    if is_local(host):
        return {"image": image, "network_mode": f"service:{service}"}
    entry: Entry = {"image": image, "networks": {NETWORK: {"aliases": [host]}}}
    if exposed := [f"{m.port}/{m.protocol}" for m in members if m.port]:
        entry["expose"] = exposed
    return entry


def _image(name: str, what: str) -> str:
    """A variable without which Compose says what to set it to."""
    variable = re.sub(r"[^A-Z0-9]", "_", name.upper())
    variable = f"_{variable}" if variable[0].isdigit() else variable
    return f"${{{variable}_IMAGE:?set it to {re.sub(r'[^A-Za-z0-9 .,:/_-]', '?', what)}}}"


def _literal(text: str) -> str:
    """Text in which Compose replaces no variable."""
    return text.replace("$", "$$")


def _mount(path: str) -> Entry:
    path = _literal(path)
    return {"type": "bind", "source": path, "target": path, "bind": {"create_host_path": False}}


def _check(profile: Profile) -> Entry | None:
    """The profile's checks as one, run in the service's container."""
    commands = [_command(text) for text in profile.healthy.checks if text != IMAGE_CHECK]  # Compose runs that anyway
    if not commands:
        return None
    return {
        "test": ["CMD-SHELL", _literal(" && ".join(commands))],
        "interval": _duration(profile.healthy.every_s),
        "timeout": _duration(profile.healthy.timeout_s),
        "start_period": _duration(profile.recovery.deadline_s),
    }


def _command(text: str) -> str:
    check = parse_check(text)
    if check.kind == EXEC:
        return f"( {check.command} )"
    if check.kind == TCP:
        return f"nc -z {shlex.quote(check.host)} {check.port}"
    url = shlex.quote(check.text)
    return f"{{ curl -fsS -o /dev/null {url} || wget -qO /dev/null {url}; }}"


def _duration(seconds: float) -> str:
    return f"{min(max(round(seconds * 1000), 1), _DAY_MS)}ms"


def _notes(contract: Contract) -> Iterator[str]:
    for member in contract.members:
        if member.protocol is Protocol.UNIX:
            yield f"{member}: is this machine's own, mounted into the service: the seal ends there."
        elif member.protocol is Protocol.DNS:
            yield "dns: is Docker's own name server, which knows the stand-ins."
        elif is_address(member.host) and not is_local(member.host):
            yield f"{member}: is called by its address, and no alias stands in for one: the service does not reach it."
        elif not is_local(member.host) and not _ALIAS.fullmatch(member.host):
            yield f"{member}: no alias can be that name: the service does not reach it."
    if not contract.has_names:
        yield "dns: is not a member, but Docker's own name server answers all the same."
    if contract.profile.service.environment:
        yield f"Variables are taken from your environment: {', '.join(contract.profile.service.environment)}."
    yield "The health check runs in the service's container, which needs curl or wget for http, nc for tcp."
    yield "Everything else fails as an internal network fails: names do not resolve, addresses are unreachable at once."
