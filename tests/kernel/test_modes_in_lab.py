"""The modes as the whole agent does them: blocked calls tied to their process, and cuts that end by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from test_lab_checkout import AUTH, PAY_A, checkout_jar, cuts

from belljar_tui.core.events import AnyEvent, CallBlocked, CutApplied, CutRestored, HealthChanged, TrafficCounted
from belljar_tui.core.model import Answer, Health, Mode, Settings, Wanted

pytestmark = pytest.mark.kernel
CLOCK = "udp://time.lab:123"


def blocked(dependency: str, mode: Mode, process: str | None = "web") -> Callable[[AnyEvent], bool]:
    """Whether an event says that a call of `process` met such a cut."""
    expected = (dependency, mode, process)
    return lambda event: isinstance(event, CallBlocked) and (event.dependency, event.mode, event.process) == expected


def restored(event: AnyEvent) -> bool:
    return isinstance(event, CutRestored) and event.dependency == AUTH


def only(dependency: str, mode: Mode, settings: Settings) -> Wanted:
    return Wanted(cuts={dependency: mode}, settings={dependency: settings})


@pytest.mark.parametrize("mode", [Mode.RESET, Mode.UNREACHABLE, Mode.DNS, Mode.HANG, Mode.FLAKY])
async def test_a_blocked_call_is_its_process_s_and_a_restore_ends_it(mode: Mode) -> None:
    async with checkout_jar() as jar:
        await jar.is_healthy()
        await jar.want(cuts(AUTH, mode=mode))
        await jar.until(blocked(AUTH, mode))
        await jar.want(Wanted())
        await jar.until(restored)


async def test_a_name_is_answered_as_the_cut_says_and_a_flow_is_reset_after_its_bytes() -> None:
    async with checkout_jar() as jar:
        await jar.is_healthy()
        await jar.want(only(AUTH, Mode.DNS, Settings(answer=Answer.SERVFAIL)))
        await jar.until(blocked(AUTH, Mode.DNS))
        await jar.want(only(PAY_A, Mode.RESET, Settings(after_bytes=400)))
        await jar.until(blocked(PAY_A, Mode.RESET, None))


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.DNS, Mode.HANG, Mode.FLAKY])
async def test_a_cut_for_a_time_ends_and_is_told(mode: Mode) -> None:
    zero = time.monotonic()
    async with checkout_jar() as jar:
        await jar.is_healthy()
        await jar.want(only(AUTH, mode, Settings(until=time.monotonic() - zero + 2.0)))
        await jar.until(blocked(AUTH, mode))
        await jar.until(restored)


async def test_a_slow_dependency_makes_the_service_late_and_its_calls_count_as_open() -> None:
    blocked_so_far: list[AnyEvent] = []

    def counts_calls(event: AnyEvent) -> bool:
        blocked_so_far.extend([event] if isinstance(event, CallBlocked) else [])
        return isinstance(event, TrafficCounted) and event.dependency == AUTH and event.calls > 0

    asked: list[int] = []

    def asks_the_time_again(event: AnyEvent) -> bool:
        counts_calls(event)
        asked.extend([event.calls] if isinstance(event, TrafficCounted) and event.dependency == CLOCK else [])
        return len(set(asked)) > 1

    async with checkout_jar() as jar:
        await jar.is_healthy()
        await jar.want(only(AUTH, Mode.SLOW, Settings(delay_s=5.0)))
        await jar.until(lambda event: isinstance(event, CutApplied))
        await jar.until(lambda event: isinstance(event, HealthChanged) and event.health is Health.UNHEALTHY)
        await jar.until(counts_calls)
        await jar.want(only(AUTH, Mode.SLOW, Settings(delay_s=0.01)))
        await jar.is_healthy()
        await jar.until(counts_calls)
        await jar.want(only(CLOCK, Mode.SLOW, Settings(delay_s=0.3)))
        await jar.until(lambda event: isinstance(event, CutApplied) and event.dependency == CLOCK)
        await jar.until(asks_the_time_again)
        assert not blocked_so_far, "a delayed call is not a blocked one"
