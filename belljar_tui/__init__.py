"""BellJar: find out what a service really needs to run, by sealing it and cutting."""

__version__ = "0.1.0"
