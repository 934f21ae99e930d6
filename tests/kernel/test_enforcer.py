"""Cut, restore and seal at random: after every step the kernel's elements are what the model says, and calls agree."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from worlds import NEIGHBOUR4, NEIGHBOUR6, PRIVILEGES, met, run_in_jar, says

from belljar_tui.agent.directory import Directory
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.modes import chain_of
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import FIRST, QUEUE
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.failures import FAILING, SEALING
from belljar_tui.core.fold import apply
from belljar_tui.core.model import Answer, Dependency, Endpoint, Mode, Protocol, Seal, Settings, Wanted
from belljar_tui.core.state import State

pytestmark = pytest.mark.kernel
NAMES = {"a.test": ["10.5.0.1"], "b.test": ["10.5.0.2", "fd05::2"], "c.test": ["10.5.0.1"]}
HOSTS = [*NAMES, "10.5.0.9", "fd05::9"]
IDS = [f"{p}://{f'[{h}]' if ':' in h else h}:{port}" for p in ("tcp", "udp") for h in HOSTS for port in (80, 443)]


def made(events: list[ev.AnyEvent], now: Callable[[], float] | None = None) -> tuple[Enforcer, Ruleset]:
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    clock = now if now is not None else (lambda: 0.0)
    return Enforcer(ruleset, Directory(), lambda _, __: 0, events.append, clock), ruleset


class Sealing(RuleBasedStateMachine):
    """The model is the wanted state alone; the kernel must agree with it after every step."""

    called: Bundle[Endpoint] = Bundle("called")

    def __init__(self) -> None:
        super().__init__()
        self.events: list[ev.AnyEvent] = []
        self.now = 0.0
        self.enforcer, self.ruleset = made(self.events, lambda: self.now)
        self.wanted = Wanted()
        self.endpoints: set[Endpoint] = set()

    def teardown(self) -> None:
        self.ruleset._netfilter.close()

    @rule(identity=st.sampled_from(IDS), mode=st.sampled_from(Mode), for_s=st.sampled_from([None, None, 100.0, 900.0]))
    def cut(self, identity: str, mode: Mode, for_s: float | None) -> None:
        self._want(cmd.Cut(identity, mode, for_s))

    @rule(
        identity=st.sampled_from(IDS),
        fraction=st.sampled_from([0.001, 0.5, 1.0]),
        fails_by=st.sampled_from(FAILING),
        for_s=st.sampled_from([None, 100.0]),
    )
    def cut_some(self, identity: str, fraction: float, fails_by: Mode, for_s: float | None) -> None:
        self._want(cmd.Cut(identity, Mode.FLAKY, for_s, fraction=fraction, fails_by=fails_by))

    @rule(identity=st.sampled_from([one for one in IDS if one.startswith("tcp")]), for_s=st.sampled_from([None, 100.0]))
    def cut_later(self, identity: str, for_s: float | None) -> None:
        self._want(cmd.Cut(identity, Mode.RESET, for_s, after_bytes=4096))

    @rule(seconds=st.sampled_from([1.0, 150.0]))
    def time_passes(self, seconds: float) -> None:
        """For our clock alone: whatever ends by then must be gone, though the kernel would keep it longer."""
        self.now += seconds
        self.wanted = self.wanted.at(self.now)
        if self.enforcer.is_due():
            self.enforcer.expire()

    @rule(identity=st.sampled_from(IDS))
    def restore(self, identity: str) -> None:
        self._want(cmd.Restore(identity))

    @rule(seal=st.sampled_from(Seal), mode=st.sampled_from(SEALING))
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
        timed = self.ruleset.read_timed()
        assert self.endpoints <= kernel.keys()
        assert timed.keys() <= kernel.keys()
        for endpoint, verdict in kernel.items():
            dependency = str(self.enforcer._directory.dependency_of(endpoint))
            lasting = self.wanted.lasting
            under = chain_of(lasting.mode_of(dependency), lasting.settings_of(dependency), endpoint.protocol)
            mode, settings = self.wanted.mode_of(dependency), self.wanted.settings_of(dependency)
            whole = chain_of(mode, settings, endpoint.protocol)
            assert verdict == under, (endpoint, dependency)
            assert timed.get(endpoint) == (None if self.wanted.until(dependency) is None else whole)
        seal, _ = self.ruleset.read_seal()
        assert seal == (None if self.wanted.seal is Seal.OPEN else self.wanted.seal_mode)

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
            assert state.dependencies[identity].settings == self.wanted.settings_of(identity)
        for identity, view in state.dependencies.items():
            assert view.mode is self.wanted.mode_of(identity)

    def _want(self, change: cmd.Change) -> None:
        self.wanted = cmd.changed(self.wanted, change, self.now)
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
    for queue in (QUEUE, FIRST):
        CallQueue(queue, lambda flow: enforcer.note(flow.endpoint), lambda _: None).start()
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


async def _a_name_that_does_not_resolve() -> None:
    """Its dependencies share the name; its addresses stay reachable unless they are cut too."""
    events: list[ev.AnyEvent] = []
    enforcer, ruleset = made(events)
    enforcer.learn("neighbour.test", [NEIGHBOUR4, NEIGHBOUR6])
    both = [Dependency(Protocol.TCP, "neighbour.test", port) for port in (7000, 7001)]
    settings = {str(both[0]): Settings(answer=Answer.SERVFAIL)}
    enforcer.want(Wanted(cuts=dict.fromkeys(map(str, both), Mode.DNS), settings=settings))
    assert enforcer.answer_of("neighbour.test") is Answer.SERVFAIL
    assert enforcer.unresolved("neighbour.test") == tuple(both), "a query names no port: each counts it"
    assert enforcer.answer_of("other.test") is None
    for address in (NEIGHBOUR4, NEIGHBOUR6):
        assert await met(address, 7000) == "echo"
    assert not any(count.failed.packets for _, count in ruleset.read().values())
    enforcer.want(Wanted(cuts={str(both[0]): Mode.REFUSE, "dns:": Mode.DNS}))
    CallQueue(QUEUE, lambda _: None, lambda _: None).start()
    assert await met(NEIGHBOUR4, 7000) == "ECONNREFUSED"
    assert enforcer.answer_of("other.test") is Answer.NXDOMAIN, "name service as a whole is every name"
    enforcer.want(Wanted())
    assert enforcer.answer_of("neighbour.test") is None


@PRIVILEGES
def test_a_name_that_is_cut_does_not_resolve_and_its_addresses_stay(flags: tuple[str, ...]) -> None:
    run_in_jar(_a_name_that_does_not_resolve, flags)


_STOPPED = f"""
import asyncio, time
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import QUEUES
from belljar_tui.agent.queue import CallQueue
from belljar_tui.core.commands import Cut, changed
from belljar_tui.core.model import Mode, Wanted
from test_enforcer import made

async def agent():
    enforcer, ruleset = made([], time.monotonic)
    for queue in QUEUES:
        CallQueue(queue, lambda _: None, lambda _: None).start()
    ruleset.hold_calls(keeps_up=True)
    enforcer.want(changed(Wanted(), Cut("tcp://{NEIGHBOUR4}:7000", Mode.REFUSE, 3.0), time.monotonic()))
    print("cut", flush=True)
    await asyncio.Event().wait()

asyncio.run(agent())
"""


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "T"


async def _expires_without_us() -> None:
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", _STOPPED, stdout=subprocess.PIPE)
    assert agent.stdout is not None
    assert await agent.stdout.readline() == b"cut\n"
    assert await met(NEIGHBOUR4, 7000) == "ECONNREFUSED"
    os.kill(agent.pid, signal.SIGSTOP)
    end = time.monotonic() + 20
    while await met(NEIGHBOUR4, 7000, 0.5) != "echo":
        assert time.monotonic() < end, "the cut outlasted its time"
        await asyncio.sleep(0.02)
    assert stopped(agent.pid), "it was stopped all the while"
    agent.kill()


@PRIVILEGES
def test_a_cut_for_a_time_ends_while_the_agent_is_stopped(flags: tuple[str, ...]) -> None:
    run_in_jar(_expires_without_us, flags)


@PRIVILEGES
def test_the_kernel_follows_the_wanted_state_through_any_history(flags: tuple[str, ...]) -> None:
    run_in_jar(_at_random, flags)


@PRIVILEGES
def test_a_name_is_cut_before_its_first_call(flags: tuple[str, ...]) -> None:
    run_in_jar(_a_name_before_its_call, flags)
