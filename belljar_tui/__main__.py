"""`python -m belljar_tui` is `belljar`."""

from belljar_tui.headless.cli import main

main()
