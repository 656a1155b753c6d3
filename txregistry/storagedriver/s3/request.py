"""One question to the store, and how it ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import attrs

from txregistry.storagedriver.s3.answers import Failed

NOTHING_SHA256 = hashlib.sha256(b"").hexdigest()

#: Statuses after which the same question may be answered otherwise.
_PASSING = frozenset({429, 500, 502, 503, 504})

#: Codes of other statuses after which that is so as well: the store, or its service for
#: keys, has too much to do, or the body was damaged on its way.
_PASSING_CODES = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "KMS.ThrottlingException",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "XAmzContentSHA256Mismatch",
    }
)

#: Codes of credentials that are not good any more.
_STALE_CODES = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})


@attrs.frozen
class Ask:
    """A question.

    :ivar key: of an object; empty for the bucket.
    :ivar body: all of it, in pieces: it may have to be sent again.
    :ivar sha256: of the body.
    :ivar result: the kind of document that a long operation is answered with. It may
        fail after the head of a good answer, and take its time until then.
    """

    method: str
    key: str = ""
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: Sequence[bytes] = ()
    sha256: str = NOTHING_SHA256
    result: str = ""

    def __str__(self) -> str:
        # No value of the query: an upload's name is of no use to readers.
        names = "&".join(name for name, _ in self.query)
        return f"{self.method} /{self.key}" + (f"?{names}" if names else "")


def with_body(ask: Ask, body: bytes) -> Ask:
    """Give a question with a small body."""
    return attrs.evolve(ask, body=(body,), sha256=hashlib.sha256(body).hexdigest())


@attrs.frozen
class Answer:
    """A good answer, read.

    :ivar headers: by their names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Refused(Exception):
    """The store says no."""

    def __init__(self, failed: Failed, headers: Mapping[str, str]) -> None:
        super().__init__(failed)
        self.failed = failed
        self.headers = headers

    def __str__(self) -> str:
        return str(self.failed)

    @property
    def is_missing(self) -> bool:
        """Tell if there is no such object, or upload."""
        return self.failed.status == 404 and self.failed.code != "NoSuchBucket"

    @property
    def is_passing(self) -> bool:
        """Tell if to ask again may help."""
        failed = self.failed
        return failed.status in _PASSING or failed.code in _PASSING_CODES

    @property
    def is_unknown(self) -> bool:
        """Tell if the store does not do such things at all."""
        return self.failed.status == 501 or self.failed.code == "NotImplemented"

    @property
    def is_stale(self) -> bool:
        """Tell if newer credentials may help; a HEAD does not say why it fails."""
        failed = self.failed
        return failed.code in _STALE_CODES or (
            failed.status in (400, 403) and not failed.code
        )


class StoreUnreachable(Exception):
    """The store cannot be asked, or broke off; the message says how."""


class Stalled(StoreUnreachable):
    """The store has not moved for too long."""
