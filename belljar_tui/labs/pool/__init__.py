"""The pool lab: a shop whose calls share four connections."""
