"""`backstage`: a catalog-info.yaml: the service as a Component that depends on a Resource for each member.

Every kind of dependency can be said. What cannot: how anything fails, and that one of several is enough; Resources
of such a group say so in their description. A catalog wants an owner and a lifecycle, which no profile knows: they
are written as `unknown`, for you to fill in.
"""

from __future__ import annotations

from belljar_tui.core.model import Dependency, Protocol
from belljar_tui.export.comment import heading, one_line
from belljar_tui.export.contract import Contract, Exported
from belljar_tui.export.manifest import rendered
from belljar_tui.export.names import slug, slugs

API = "backstage.io/v1alpha1"
ANNOTATION = "belljar/dependency"
UNKNOWN = "unknown"
_TYPES = {
    Protocol.TCP: "tcp-endpoint",
    Protocol.UDP: "udp-endpoint",
    Protocol.ICMP: "host",
    Protocol.UNIX: "unix-socket",
    Protocol.DNS: "name-service",
}


def export(contract: Contract) -> Exported:
    notes = (
        "The owner and the lifecycle of the entities are unknown to a profile: fill them in.",
        "A catalog knows no seal: only the working set is said, not that the rest must fail.",
    )
    purpose = "The working set as entities of a software catalog: a Component, and the Resources it depends on."
    texts = {d: "name-service" if d.protocol is Protocol.DNS else str(d) for d in contract.members}
    names = slugs(texts.values())
    entities = [_component(contract, [names[text] for text in texts.values()])]
    entities += [_resource(contract, d, names[texts[d]]) for d in contract.members]
    text = "\n".join(heading(contract, purpose, notes)) + "\n"
    return Exported(text + "---\n".join(rendered(entity) for entity in entities), notes)


def _component(contract: Contract, resources: list[str]) -> dict[str, object]:
    name = slug(contract.profile.name)
    return {
        "apiVersion": API,
        "kind": "Component",
        "metadata": {"name": name, "title": one_line(contract.profile.name), "description": one_line(contract.claim)},
        "spec": {
            "type": "service",
            "lifecycle": UNKNOWN,
            "owner": UNKNOWN,
            "dependsOn": [f"resource:{resource}" for resource in resources],
        },
    }


def _resource(contract: Contract, dependency: Dependency, name: str) -> dict[str, object]:
    return {
        "apiVersion": API,
        "kind": "Resource",
        "metadata": {
            "name": name,
            "title": one_line(dependency.label),
            "description": one_line(_description(contract, str(dependency))),
            "annotations": {ANNOTATION: one_line(str(dependency))},
        },
        "spec": {"type": _TYPES[dependency.protocol], "owner": UNKNOWN},
    }


def _description(contract: Contract, identity: str) -> str:
    cut_sets = [cut for cut in contract.cut_sets if identity in cut]
    if any(len(cut) == 1 for cut in cut_sets):
        return "A single point of failure."
    if len(cut_sets) == 1:
        return f"Needed; one of these is enough: {', '.join(sorted(cut_sets[0]))}."
    return "Needed."
