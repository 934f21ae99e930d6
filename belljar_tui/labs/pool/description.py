"""The pool lab in words: who is there, and what is really needed."""

from belljar_tui.labs.lab import Lab, Truth

POOL = Lab(
    name="pool",
    summary="a shop that makes every call through four shared workers, and says little when it fails",
    service=("-P", "-m", "belljar_tui.labs.pool.service"),
    checks=("http://localhost:8080/ready",),
    nameservers=("10.77.1.53",),
    hosts={"stock-db.lab": "20", "mail.lab": "21", "reports.lab": "22", "licence": "66"},
    truth=Truth(
        always=("tcp://stock-db.lab:5432", "tcp://mail.lab:2525"),
        cold_only=("tcp://10.77.1.66:5555",),
        tolerated=("tcp://reports.lab:8083",),
        needed_when_hanging=("tcp://reports.lab:8083",),
    ),
)
