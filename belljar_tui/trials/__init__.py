"""Experiments: an oracle runs one trial, the runner runs a search on it."""
