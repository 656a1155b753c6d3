"""Whether an error of an upstream is obeyed, or what is cached is served instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from txregistry.spec.errors import (
    RegistryError,
    UpstreamFailed,
    UpstreamUnavailable,
)

OBEY = "obey"
STALE = "stale"

#: The errors for which there is a rule (``proxy.onerror``), and its default.
DEFAULTS: Mapping[str, str] = {
    "401": OBEY,
    "403": OBEY,
    "404": OBEY,
    "429": STALE,
    "5xx": STALE,
}

#: The lowest status of a failure of the upstream itself.
_SERVER_ERROR = 500


@attrs.frozen
class ErrorPolicy:
    """What is done with each error of an upstream.

    :ivar stale: errors in place of which cached content is served, by the keys of
        :data:`DEFAULTS`. All others of these are obeyed.
    """

    stale: frozenset[str] = frozenset(
        error for error, action in DEFAULTS.items() if action == STALE
    )

    @classmethod
    def of(cls, rules: Mapping[str, str]) -> ErrorPolicy:
        """Make a policy of some rules; the others are those of :data:`DEFAULTS`."""
        merged = {**DEFAULTS, **rules}
        return cls(frozenset(e for e, action in merged.items() if action == STALE))

    def serves_stale(self, error: RegistryError) -> bool:
        """Decide whether cached content is served in place of an error.

        An upstream that does not answer, or not usefully, gives nothing to obey.
        """
        kind = kind_of_error(error)
        if kind is not None:
            return kind in self.stale
        return isinstance(error, UpstreamFailed | UpstreamUnavailable)


def kind_of_error(error: RegistryError) -> str | None:
    """Return the key of :data:`DEFAULTS` for an error.

    :return: ``None`` for an error without a rule, as when there was no answer.
    """
    facts = error.detail if isinstance(error.detail, Mapping) else {}
    if isinstance(error, UpstreamUnavailable):
        # A path is paused after answers of 5xx; an origin if it cannot be reached.
        return "5xx" if "path" in facts else None
    if isinstance(error, UpstreamFailed):
        status = facts.get("status")
        is_server_error = isinstance(status, int) and status >= _SERVER_ERROR
        return "5xx" if is_server_error else None
    return str(error.status) if str(error.status) in DEFAULTS else None


def problems_of_rules(rules: Mapping[str, str]) -> Iterable[str]:
    """Give a problem for each rule that is none, with its key in front."""
    for error, action in rules.items():
        if error not in DEFAULTS:
            yield f"{error}: expected {' or '.join(DEFAULTS)} as its name"
        elif action not in (OBEY, STALE):
            yield f"{error}: expected {OBEY} or {STALE}, found {action!r}"
