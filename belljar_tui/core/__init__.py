"""Pure: model, events, the fold, profile, layout. No clock, no sockets, no randomness."""
