"""The checkout lab in words: who is there, and what is really needed."""

from belljar_tui.labs.lab import Lab, Truth

CHECKOUT = Lab(
    name="checkout",
    summary="a shop's checkout: two processes, nine dependencies, one of them nobody knows",
    service=("-P", "-m", "belljar_tui.labs.checkout.service"),
    checks=("http://localhost:8080/ready",),
    nameservers=("10.77.1.53",),
    hosts={
        "orders-db.lab": "10",
        "auth.lab": "11",
        "config.lab": "12",
        "pay-a.lab": "13",
        "pay-b.lab": "14",
        "cache.lab": "15",
        "recs.lab": "16",
        "time.lab": "17",
        "metrics.lab": "18",
        "updates": "44",
    },
    truth=Truth(
        always=("tcp://orders-db.lab:5432", "tcp://auth.lab:9000"),
        cold_only=("tcp://config.lab:8500",),
        one_of=(("tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000"),),
        tolerated=(
            "tcp://cache.lab:6379",
            "tcp://recs.lab:8081",
            "udp://time.lab:123",
            "udp://metrics.lab:8125",
            "tcp://10.77.1.44:443",
        ),
        needed_when_hanging=("tcp://cache.lab:6379",),
    ),
)
