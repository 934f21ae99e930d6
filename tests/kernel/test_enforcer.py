"""Cut, restore and seal at random: after every step the kernel's elements are what the model says, and calls agree."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from worlds import NEIGHBOUR4, NEIGHBOUR6, PRIVILEGES, run_in_jar, says

from belljar_tui.agent.directory import Directory
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import QUEUE, Ruleset
from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.model import Endpoint, Mode, Protocol, Seal, Wanted
from belljar_tui.core.state import State, apply

pytestmark = pytest.mark.kernel
NAMES = {"a.test": ["10.5.0.1"], "b.test": ["10.5.0.2", "fd05::2"], "c.test": ["10.5.0.1"]}
HOSTS = [*NAMES, "10.5.0.9", "fd05::9"]
IDS = [f"{p}://{f'[{h}]' if ':' in h else h}:{port}" for p in ("tcp", "udp") for h in HOSTS for port in (80, 443)]


def made(events: list[ev.AnyEvent]) -> tuple[Enforcer, Ruleset]:
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    return Enforcer(ruleset, Directory(), lambda _: 0, events.append, lambda: 0.0), ruleset


class Sealing(RuleBasedStateMachine):
    """The model is the wanted state alone; the kernel must agree with it after every step."""

    called: Bundle[Endpoint] = Bundle("called")

    def __init__(self) -> None:
        super().__init__()
        self.events: list[ev.AnyEvent] = []
        self.enforcer, self.ruleset = made(self.events)
        self.wanted = Wanted()
        self.endpoints: set[Endpoint] = set()

    def teardown(self) -> None:
        self.ruleset._netfilter.close()

    @rule(identity=st.sampled_from(IDS), mode=st.sampled_from(Mode))
    def cut(self, identity: str, mode: Mode) -> None:
        self._want(cmd.Cut(identity, mode))

    @rule(identity=st.sampled_from(IDS))
    def restore(self, identity: str) -> None:
        self._want(cmd.Restore(identity))

    @rule(seal=st.sampled_from(Seal), mode=st.sampled_from(Mode))
    def seal(self, seal: Seal, mode: Mode) -> None:
        self._want(cmd.SealWith(seal, mode))

    @rule()
    def restore_all(self) -> None:
        self._want(cmd.RestoreAll())

    @rule(name=st.sampled_from(sorted(NAMES)))
    def resolve(self, name: str) -> None:
        self.enforcer.learn(name, NAMES[name])

    @rule(
        address=st.sampled_from(["10.5.0.1", "10.5.0.2", "10.5.0.9", "fd05::2"]),
        protocol=st.sampled_from([Protocol.TCP, Protocol.UDP]),
        port=st.sampled_from([80, 443]),
    )
    def call(self, address: str, protocol: Protocol, port: int) -> None:
        endpoint = Endpoint(address, protocol, port)
        self.endpoints.add(endpoint)
        self.enforcer.note(endpoint)

    @invariant()
    def the_kernel_holds_what_is_wanted(self) -> None:
        kernel = {endpoint: verdict for endpoint, (verdict, _) in self.ruleset.read().items()}
        assert self.endpoints <= kernel.keys()
        for endpoint, verdict in kernel.items():
            dependency = str(self.enforcer._directory.dependency_of(endpoint))
            assert verdict is self.wanted.mode_of(dependency), (endpoint, dependency)
        seal, _ = self.ruleset.read_seal()
        assert seal is (None if self.wanted.seal is Seal.OPEN else self.wanted.seal_mode)

    @invariant()
    def nothing_failed_its_audit(self) -> None:
        assert not [event for event in self.events if isinstance(event, ev.AuditFailed)]

    @invariant()
    def the_events_tell_the_same_story(self) -> None:
        state = State()
        for event in self.events:
            state = apply(state, event)
        assert state.seal is self.wanted.seal
        for identity, mode in self.wanted.cuts.items():
            assert state.dependencies[identity].mode is mode
        for identity, view in state.dependencies.items():
            assert view.mode is self.wanted.mode_of(identity)

    def _want(self, change: cmd.Change) -> None:
        self.wanted = cmd.changed(self.wanted, change)
        self.enforcer.want(self.wanted)


async def _at_random() -> None:
    await asyncio.to_thread(
        run_state_machine_as_test,
        Sealing,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None, database=None, derandomize=True),
    )


async def _a_name_before_its_call() -> None:
    events: list[ev.AnyEvent] = []
    enforcer, _ = made(events)
    enforcer.want(Wanted(cuts={"tcp://neighbour.test:7000": Mode.REFUSE}))
    CallQueue(QUEUE, lambda flow: enforcer.note(flow.endpoint), lambda _: None).start()
    assert await says(NEIGHBOUR4, 7000) == "echo", "an address nobody has named is not the name's"
    enforcer, _ = _again(enforcer)
    for address in (NEIGHBOUR4, NEIGHBOUR6):
        enforcer.learn("neighbour.test", [address])
        assert await says(address, 7000) == "ConnectionRefusedError", "its very first call meets the cut"
        assert await says(address, 7001) == "echo"


def _again(old: Enforcer) -> tuple[Enforcer, Ruleset]:
    """A fresh enforcer with the same wanted state: the first one has given the address to nobody's name."""
    old._ruleset._netfilter.close()
    enforcer, ruleset = made([])
    enforcer.want(old.wanted)
    return enforcer, ruleset


@PRIVILEGES
def test_the_kernel_follows_the_wanted_state_through_any_history(flags: tuple[str, ...]) -> None:
    run_in_jar(_at_random, flags)


@PRIVILEGES
def test_a_name_is_cut_before_its_first_call(flags: tuple[str, ...]) -> None:
    run_in_jar(_a_name_before_its_call, flags)
