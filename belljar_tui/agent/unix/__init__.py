"""Unix sockets as dependencies: who listens (`table`), who calls (`calls`), what lies over them (`masks`), and what
that amounts to (`sockets`)."""
