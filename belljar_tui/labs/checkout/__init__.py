"""The checkout lab: a shop that takes orders."""
