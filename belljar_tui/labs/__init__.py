"""The built-in worlds to explore."""
