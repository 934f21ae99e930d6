"""Sessions on disk: write, read, migrate, replay."""
