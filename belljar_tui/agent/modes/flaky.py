"""`flaky`: some new calls fail, the others and every established flow go through.

    chain dice_300  { DICE < 300 meta mark set NEW_CALL goto due }        # 300 of 1000 calls
    chain cast_300  { jump dice_300 goto opened }
    chain flaky_300_refuse { meta mark NEW_CALL goto refuse }

where DICE is `jhash th sport . th dport mod 1000 seed RANDOM`: a call's fate is its source port's, so that a SYN sent
again (in a blackhole, say) meets the same one. A kernel without it gets `numgen random mod 1000`: there each packet of
a new call throws anew, and a blackhole only delays. One with neither has no flaky.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import NEW_CALL, chain, has_mark, rule
from belljar_tui.core.model import Mode

DICE = ("hash", "numgen")
"""What throws the dice, best first."""
_SIDES = 1000


def chain_name(fraction: float, fails_by: Mode) -> str:
    """`fraction` in steps of a thousandth."""
    return f"flaky_{round(fraction * _SIDES)}_{fails_by}"


def dice_name(verdict: str, *, ends: bool) -> str:
    """The chain that throws for `flaky_300_refuse`; one that `ends`, or one that returns what was spared."""
    fraction = verdict.split("_")[1]
    return f"cast_{fraction}" if ends else f"dice_{fraction}"


def throw(dice: str, fails: int) -> list[bytes]:
    """Match `fails` of 1000 calls."""
    return [*(ex.hashed_ports(_SIDES) if dice == "hash" else [ex.random_number(_SIDES)]), *ex.below(fails)]


def chains(name: str, parameters: str, dice: str) -> dict[str, list[Message]]:
    """The chains of `flaky_300_refuse`, whose `parameters` are `300_refuse`."""
    fraction, _, fails_by = parameters.partition("_")
    dicing, casting = f"dice_{fraction}", f"cast_{fraction}"
    thrown = throw(dice, int(fraction))
    return {
        dicing: [chain(dicing), rule(dicing, [*thrown, *ex.set_mark(NEW_CALL), ex.verdict(ex.GOTO, "due")])],
        casting: [
            chain(casting),
            rule(casting, [ex.verdict(ex.JUMP, dicing)]),
            rule(casting, [ex.verdict(ex.GOTO, "opened")]),
        ],
        name: [chain(name), rule(name, [*has_mark(NEW_CALL), ex.verdict(ex.GOTO, fails_by)])],
    }


def probe(dice: str) -> list[Message]:
    """A chain nobody goes to, that only a kernel with these dice takes."""
    return [chain(f"probe_{dice}"), rule(f"probe_{dice}", [*throw(dice, 1), ex.verdict(ex.RETURN)])]
