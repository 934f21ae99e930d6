"""`python -m belljar_tui` is `belljar`."""

import gc

gc.set_threshold(50_000)
"""Of what a program loads nearly all lives on; to look through it every 700 objects takes a fifth of a start."""

from belljar_tui.headless.cli import main  # noqa: E402  # its loading is what is meant

if __name__ == "__main__":
    main()
