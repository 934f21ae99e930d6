"""The command line. `printer` owns stdout, `diagnostics` owns stderr and exit codes."""
