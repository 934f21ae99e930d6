"""Names other tools accept, made from names they may not."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

LONGEST = 63
"""A DNS label's length, the least of what the formats allow."""
_TAIL = 6


def slug(text: str, otherwise: str = "service") -> str:
    """Lower-case letters, digits and hyphens, at most LONGEST, beginning and ending with a letter or digit."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())[:LONGEST].strip("-")
    return plain or otherwise


def slugs(texts: Iterable[str], taken: Iterable[str] = (), otherwise: str = "dependency") -> dict[str, str]:
    """A slug for each, all different and none of `taken`. Those that would be alike get a tail that depends on the
    text alone, so that one more does not rename the others."""
    plain = {text: slug(text, otherwise) for text in dict.fromkeys(texts)}
    count = Counter([*plain.values(), *taken])
    return {text: name if count[name] == 1 else _tailed(name, text) for text, name in plain.items()}


def _tailed(name: str, text: str) -> str:
    tail = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_TAIL]
    return f"{name[: LONGEST - _TAIL - 1].rstrip('-')}-{tail}"
