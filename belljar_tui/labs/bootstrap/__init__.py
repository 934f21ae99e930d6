"""The bootstrap lab: five services, three of which start in a circle."""
