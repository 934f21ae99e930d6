"""`networkpolicy`: a Kubernetes NetworkPolicy (networking.k8s.io/v1) for the egress of the service's pods.

TCP and UDP members become ipBlocks with their ports, from the evidence's addresses or --resolve; `dns:` becomes
port 53. Everything else is dropped, and answers to callers pass.

It cannot say: names (so addresses that change need another export, or the format `cilium`), ICMP, Unix sockets, a
pod's own loopback, and *how* the rest fails: network plugins drop, whatever the profile's `sealed` mode is.
"""

from __future__ import annotations

from collections.abc import Iterator

from belljar_tui.core.model import Dependency, Mode, Protocol
from belljar_tui.export.comment import heading
from belljar_tui.export.contract import Contract, Exported, is_local
from belljar_tui.export.manifest import listed, rendered
from belljar_tui.export.names import slug

POD_LABEL = "app.kubernetes.io/name"
_DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def export(contract: Contract) -> Exported:
    notes = tuple(_notes(contract))
    name = slug(contract.profile.name)
    purpose = (
        "The working set as a Kubernetes NetworkPolicy, in the namespace it is applied to. Change the podSelector to "
        "the labels your pods carry."
    )
    head = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{name}-sealed"[:63]},
    }
    spec = {"podSelector": {"matchLabels": {POD_LABEL: name}}, "policyTypes": ["Egress"]}
    text = "\n".join(heading(contract, purpose, notes)) + "\n" + rendered(head) + "spec:\n" + rendered(spec, 2)
    return Exported(text + listed("egress", list(_rules(contract)), 2), notes)


def dropped(contract: Contract) -> Iterator[str]:
    """What to know where the rest is dropped although the profile was proven with something else."""
    if contract.profile.sealed is Mode.BLACKHOLE:
        return
    if contract.profile.sealed is Mode.HANG:
        yield "The profile has everything else accepted and silent; here it is dropped, and nobody accepts."
        return
    yield "The profile has everything else refused; here it is dropped, and its callers wait."
    for hanging in contract.hanging():
        yield f"{hanging}: the service does without it when it is refused, and not when it is silent, as it is here."


def unseen(dependency: Dependency, what: str) -> str | None:
    """Why a policy of a cluster network cannot speak of a dependency; None when it can."""
    if dependency.protocol is Protocol.UNIX:
        return f"{dependency}: a Unix socket is a file: {what} neither allows nor refuses it."
    if is_local(dependency.host):
        return f"{dependency}: is on the pod's own loopback: {what} neither allows nor refuses it."
    return None


def _rules(contract: Contract) -> Iterator[tuple[str, object]]:
    for member in contract.members:
        if member.protocol is Protocol.DNS:
            yield "dns: (name service, whatever its server)", {"ports": _DNS}
        elif member.protocol in (Protocol.TCP, Protocol.UDP) and not is_local(member.host):
            endpoints = contract.required_endpoints(member, "A NetworkPolicy")
            for port in sorted({endpoint.port for endpoint in endpoints}):
                blocks = [{"ipBlock": {"cidr": cidr(e.address)}} for e in endpoints if e.port == port]
                yield str(member), {"to": blocks, "ports": [{"protocol": member.protocol.upper(), "port": port}]}


def cidr(address: str) -> str:
    """The block of one address."""
    return f"{address}/{128 if ':' in address else 32}"


def _notes(contract: Contract) -> Iterator[str]:
    for member in contract.members:
        if why := unseen(member, "a NetworkPolicy"):
            yield why
        elif member.protocol is Protocol.ICMP:
            yield f"{member}: a NetworkPolicy knows TCP, UDP and SCTP only; most network plugins drop ICMP here."
    if told := contract.addresses_for_names():
        yield told
        if not contract.has_names:
            yield "dns: is not a member, so lookups fail here: the service needs its names in /etc/hosts (hostAliases)."
    for shared, owner, endpoint in contract.sharing():
        yield f"{shared}: shares {endpoint} with the member {owner}, so it passes too."
    for outside in contract.sealed_dependencies():
        if why := unseen(outside, "a NetworkPolicy"):
            yield why
    yield from dropped(contract)
