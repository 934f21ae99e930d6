"""Profiles to export: the checkout lab's, and any that a person could write, hostile ones included."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from belljar_tui.core.model import Dependency, Endpoint, Mode, Protocol
from belljar_tui.core.profile import DependencyEvidence, Evidence, Healthy, Limits, Profile, Service, Verdict
from belljar_tui.core.profile_flaws import flaws
from belljar_tui.errors import BadDependencyId
from belljar_tui.export.contract import has_address

AUTH, DB, PAY_A, PAY_B = (
    "tcp://auth.lab:9000",
    "tcp://orders-db.lab:5432",
    "tcp://pay-a.lab:7000",
    "tcp://pay-b.lab:7000",
)
CACHE, TIME, UPDATES, SOCKET = (
    "tcp://cache.lab:6379",
    "udp://time.lab:123",
    "tcp://10.77.1.44:443",
    "unix:/run/docker.sock",
)


def seen(identity: str, number: int, verdicts: dict[Mode, Verdict] | None = None) -> DependencyEvidence:
    """Evidence of a dependency of the lab, at both its addresses."""
    dependency = Dependency.parse(identity)
    places = [f"10.77.1.{number}", f"[fd77:1::{number}]"] if dependency.host.endswith(".lab") else []
    endpoints = tuple(f"{dependency.protocol} {place}:{dependency.port}" for place in places)
    return DependencyEvidence(id=identity, endpoints=endpoints, verdicts=verdicts or {})


EVIDENCE = Evidence(
    cut_sets=((AUTH,), (DB,), ("dns:",), (PAY_A, PAY_B)),
    dependencies=(
        seen(AUTH, 11),
        seen(DB, 10),
        seen(PAY_A, 13, {Mode.REFUSE: Verdict.TOLERATED}),
        seen(PAY_B, 14, {Mode.REFUSE: Verdict.TOLERATED}),
        seen(CACHE, 15, {Mode.REFUSE: Verdict.TOLERATED, Mode.BLACKHOLE: Verdict.NEEDED}),
        seen(TIME, 17, {Mode.REFUSE: Verdict.TOLERATED}),
        seen(UPDATES, 44, {Mode.REFUSE: Verdict.TOLERATED}),
    ),
    never_exercised=(SOCKET,),
)


def profile_with(
    *allow: str, sealed: Mode = Mode.REFUSE, evidence: Evidence = EVIDENCE, name: str = "checkout"
) -> Profile:
    """A profile of the checkout lab with this working set."""
    return Profile(
        belljar=2,
        name=name,
        service=Service(command=("./server", "--port", "8080"), environment=("PORT",)),
        healthy=Healthy(checks=("http://localhost:8080/ready",)),
        allow=allow,
        sealed=sealed,
        evidence=evidence,
    )


CHECKOUT = profile_with("dns:", AUTH, DB, PAY_A)

_NASTY = "\"'`\\{}()<>#;%&$|*!,=+~^? \t\n\r\x00\x1b\x85\u2028\u2029\ud800äß日本語🫙-_.:/aZ09"
_text = st.text(alphabet=_NASTY, max_size=16)
_host = st.text(alphabet="\"'`\\{}()<>#;%&$|*!,=+~^?äß日本🫙-_.aZ09", min_size=1, max_size=12)


def _is_id(text: str) -> bool:
    try:
        Dependency.parse(text)
    except BadDependencyId:
        return False
    return True


_hosts = st.one_of(
    st.sampled_from(["db.example.org", "queue", "localhost", "a.localhost", "127.0.0.1", "10.0.0.1", "x_1.y", "123"]),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.sampled_from(["[::1]", "[fe80::1%eth0]", '[fe80::1%"};x]', "[::ffff:10.0.0.7]"]),
    _host,
)
_ports = st.integers(1, 65535)
ids: st.SearchStrategy[str] = st.one_of(
    st.builds(
        lambda protocol, host, port: f"{protocol}://{host}:{port}", st.sampled_from(["tcp", "udp"]), _hosts, _ports
    ),
    _hosts.map(lambda host: f"icmp://{host}"),
    _text.map(lambda path: f"unix:/{path}"),
    st.just("dns:"),
).filter(_is_id)


@st.composite
def _profiles(draw: st.DrawFn) -> Profile:
    allow = draw(st.lists(ids, max_size=6))
    others = draw(st.lists(st.one_of(ids, _text), max_size=4))
    known = [*allow, *others]
    verdicts = st.dictionaries(st.sampled_from(Mode), st.sampled_from(Verdict))
    evidence = tuple(
        DependencyEvidence(id=one, endpoints=draw(_endpoints(one)), verdicts=draw(verdicts)) for one in known
    )
    cuts = (
        st.lists(st.lists(st.sampled_from(known), min_size=1, max_size=3).map(tuple), max_size=4)
        if known
        else st.just([])
    )
    return Profile(
        belljar=2,
        name=draw(_text.filter(bool)),
        service=Service(
            command=tuple(draw(st.lists(_text, min_size=1, max_size=3))),
            environment=tuple(draw(st.lists(st.sampled_from(["PORT", "HOME", "A$B", "x y"]), max_size=3))),
            limits=draw(st.sampled_from([Limits(), Limits(memory_mb=512, cpus=0.5)])),
        ),
        forward=tuple(draw(st.lists(_ports, max_size=2))),
        healthy=Healthy(checks=tuple(draw(st.lists(_checks, min_size=1, max_size=2)))),
        allow=tuple(allow),
        sealed=draw(st.sampled_from(Mode)),
        evidence=Evidence(dependencies=evidence, never_exercised=tuple(others[:1]), cut_sets=tuple(draw(cuts))),
    )


_checks = st.one_of(
    st.sampled_from(
        ["http://localhost:8080/ready?a=$b", "tcp://localhost:5432", "tcp://[::1]:9", "exec:test $X = '}'"]
    ),
    _text.filter(lambda text: text.strip() and "\0" not in text).map(lambda command: f"exec:{command}"),
)


def _endpoints(identity: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Where a dependency was called: always somewhere, if it can be."""
    if not _is_id(identity):
        return st.just(())
    dependency = Dependency.parse(identity)
    if not has_address(dependency):
        return st.just(())
    addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
    made = addresses.map(lambda address: str(Endpoint(address, Protocol(dependency.protocol), dependency.port)))
    return st.lists(made, min_size=1, max_size=2).map(tuple)


profiles: st.SearchStrategy[Profile] = _profiles().filter(lambda profile: not list(flaws(profile)))
"""Any profile without a flaw, each member of which has an address."""


def members_of(profile: Profile, *protocols: Protocol) -> Sequence[Dependency]:
    """The working set, of these protocols, each once."""
    return sorted({d for d in map(Dependency.parse, profile.allow) if d.protocol in protocols})
