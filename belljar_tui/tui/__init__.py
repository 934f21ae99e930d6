"""The explorer: app, screens, widgets, messages, keys, themes."""
