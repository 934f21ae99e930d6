"""What several of these tests need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import databases


@pytest.fixture
def servers() -> Iterator[tuple[int, int]]:
    """Ports of a PostgreSQL and a Redis on this machine's loopback."""
    with databases() as ports:
        yield ports
