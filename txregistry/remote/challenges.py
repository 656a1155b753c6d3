"""Read the challenges of a response that can be answered (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.web.iweb import IResponse

from txregistry.flow.sized import OVERHEAD_BYTES, size_of
from txregistry.remote.body import header_lines
from txregistry.spec.challenge import Challenge, parse_challenges

#: Challenges used of one response, as each may cost a request for a token.
MAX_CHALLENGES = 16

#: Parameters of a challenge that are used.
_USED = ("realm", "service", "scope")


def challenges_of(response: IResponse) -> list[Challenge]:
    """Return the challenges of supported schemes, Bearer first (RFC 9110, 11.6.1)."""
    lines = header_lines(response, "WWW-Authenticate")
    found = [_trimmed(item) for item in parse_challenges(lines)]
    bearers = [
        item
        for item in found
        if item.scheme == "bearer" and item.parameters.get("realm")
    ]
    basics = [item for item in found if item.scheme == "basic"]
    return (bearers[: MAX_CHALLENGES - 1] + basics)[:MAX_CHALLENGES]


def _trimmed(challenge: Challenge) -> Challenge:
    """Return a challenge without unused parameters, which would take memory."""
    given = challenge.parameters
    kept = {name: given[name] for name in _USED if name in given}
    return Challenge(challenge.scheme, kept)


def memory_bytes(challenges: Iterable[Challenge]) -> int:
    """Return about how many bytes of memory challenges take."""
    return sum(
        OVERHEAD_BYTES + size_of(item.scheme, *item.parameters.values())
        for item in challenges
    )
