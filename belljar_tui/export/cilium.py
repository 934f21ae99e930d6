"""`cilium`: a CiliumNetworkPolicy (cilium.io/v2) for the egress of the service's pods, by name.

Named members become toFQDNs, raw addresses toCIDR, each with its ports; ICMP is allowed by type. toFQDNs works from
the answers Cilium's DNS proxy sees, so a rule for name service is always there: for every name when `dns:` is a
member, for the members' names alone when it is not.

It cannot say: Unix sockets, a pod's own loopback, and *how* the rest fails: Cilium drops, whatever the profile's
`sealed` mode is. A name without a dot is a Service of the cluster, which toFQDNs never matches: a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from belljar_tui.core.model import Dependency, Protocol
from belljar_tui.export.comment import heading
from belljar_tui.export.contract import Contract, Exported, is_address, is_local, is_looked_up, plain_address
from belljar_tui.export.manifest import listed, rendered
from belljar_tui.export.names import slug
from belljar_tui.export.networkpolicy import POD_LABEL, cidr, dropped, unseen

_NAME = re.compile(r"[-a-zA-Z0-9_.]{1,255}")
"""What a matchName may be."""
_NAME_SERVER = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}
_ECHO = [{"fields": [{"family": "IPv4", "type": 8}, {"family": "IPv6", "type": 128}]}]
"""Echo requests of both families."""


def export(contract: Contract) -> Exported:
    notes = tuple(_notes(contract))
    name = slug(contract.profile.name)
    purpose = (
        "The working set as a CiliumNetworkPolicy, in the namespace it is applied to. Change the endpointSelector to "
        "the labels your pods carry, and the name server's where it is not kube-dns in kube-system."
    )
    head = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": f"{name}-sealed"[:63]}}
    spec = {"endpointSelector": {"matchLabels": {POD_LABEL: name}}}
    text = "\n".join(heading(contract, purpose, notes)) + "\n" + rendered(head) + "spec:\n" + rendered(spec, 2)
    rules = list(_rules(contract)) or [
        ("Nothing: an empty rule selects nobody, and closes the rest.", dict[str, object]())
    ]
    return Exported(text + listed("egress", rules, 2), notes)


def _rules(contract: Contract) -> Iterator[tuple[str, object]]:
    yield from _name_service(contract)
    for member in contract.members:
        if member.protocol in (Protocol.DNS, Protocol.UNIX) or is_local(member.host):
            continue
        target = _target(member)
        if target is None:
            continue
        if member.protocol is Protocol.ICMP:
            yield str(member), {**target, "icmps": _ECHO}
        else:
            port = {"port": str(member.port), "protocol": member.protocol.upper()}
            yield str(member), {**target, "toPorts": [{"ports": [port]}]}


def _name_service(contract: Contract) -> Iterator[tuple[str, object]]:
    names = sorted({m.host for m in contract.members if is_looked_up(m) and _NAME.fullmatch(m.host)})
    if contract.has_names:
        comment, dns = "dns: (name service; toFQDNs learns from its answers)", [{"matchPattern": "*"}]
    elif names:
        comment = "Name service for the members' names alone (toFQDNs learns from its answers); dns: is not a member."
        dns = [{"matchName": name} for name in names]
    else:
        return
    ports = {"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": dns}}
    yield comment, {"toEndpoints": [{"matchLabels": _NAME_SERVER}], "toPorts": [ports]}


def _target(member: Dependency) -> dict[str, object] | None:
    if is_address(member.host):
        return {"toCIDR": [cidr(plain_address(member.host))]}
    if _NAME.fullmatch(member.host):
        return {"toFQDNs": [{"matchName": member.host}]}
    return None


def _notes(contract: Contract) -> Iterator[str]:
    for member in contract.members:
        if why := unseen(member, "a CiliumNetworkPolicy"):
            yield why
        elif is_looked_up(member) and not _NAME.fullmatch(member.host):
            yield f"{member}: toFQDNs takes no such name, so it is not allowed here."
        elif is_looked_up(member) and "." not in member.host:
            remedy = "name its pods with toEndpoints, or write its full name in the profile."
            yield f"{member}: a name without a dot is a Service of the cluster, which toFQDNs does not match: {remedy}"
    if contract.resolved:
        yield "Addresses looked up with --resolve are not used: Cilium follows the names."
    for outside in contract.sealed_dependencies():
        if why := unseen(outside, "a CiliumNetworkPolicy"):
            yield why
    yield from dropped(contract)
