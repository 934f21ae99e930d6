from __future__ import annotations

from pathlib import Path

from belljar_tui.core.failures import FAILURES

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_says_of_each_mode_what_the_program_says() -> None:
    text = README.read_text()
    for mode, failure in FAILURES.items():
        assert f"| `{mode}` | {failure.meets} | {failure.outage} |" in text
