"""How a jar is made."""
