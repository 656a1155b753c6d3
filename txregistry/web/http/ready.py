"""Answers that are given again to the same bytes, for as long as they would be.

Note [Ready answers]. Many nodes pull one image at once, and ask in the same words. What
the first of them was answered is kept until the second (of the wall clock) is over, and
until something changes that it is about. A connection gives it to a request whose head
has the same bytes, before a request object exists. All that is in an answer and depends
on time has whole seconds, such as ``Date``. Whatever else decides about one (a login,
the rights to what is cached, the freshness of a tag) is asked again a second later.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.changes import CONTENT, ChangeTimes
from txregistry.interfaces.observe import Exchange

#: Bytes of all ready answers of a listener, with the heads that they are answers to.
MAX_BYTES = 4 * 1024 * 1024

#: Approximate bytes of an answer beside its texts.
_ANSWER_BYTES = 2000

#: Longest answer that is kept, and longest head.
MAX_ANSWER_BYTES, MAX_HEAD_BYTES = 64 * 1024, 8 * 1024

#: Headers that mean the same on every connection. The address of a client, and what it
#: wants of its connection, are not among them.
PLAIN_HEADERS = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"authorization",
        b"host",
        b"if-none-match",
        b"if-range",
        b"range",
        b"user-agent",
    )
)

_END = b"\r\n\r\n"


def is_plain(data: bytes) -> bool:
    """Tell whether bytes are one whole head of a GET or HEAD, and no more (pure)."""
    return (
        data.startswith((b"GET ", b"HEAD "))
        and len(data) <= MAX_HEAD_BYTES
        and data.find(_END) == len(data) - len(_END)
    )


@attrs.define(eq=False)
class Recording:
    """An answer under way, which may become a ready one.

    :param head: of the request.
    :param second: of the wall clock, in which it began.
    :param began_at: the time by the :class:`ChangeTimes`.
    :ivar counted: what meters have counted for it.
    :ivar subject: what it is about; ``None`` unless it may be given again.
    """

    head: bytes
    second: int
    began_at: int
    counted: list[Callable[[], None]] = attrs.field(factory=list)
    subject: str | None = None
    _pieces: list[bytes] = attrs.field(factory=list)
    _size: int = 0

    def add(self, data: bytes) -> bool:
        """Add bytes of the answer; tell whether it is not too long."""
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            self._pieces.clear()
            return False
        self._pieces.append(data)
        return True

    @property
    def content(self) -> bytes | None:
        """The whole answer; ``None`` if it is too long."""
        return b"".join(self._pieces) if self._size <= MAX_ANSWER_BYTES else None


@attrs.frozen
class ReadyAnswer:
    """An answer that may be given again.

    :ivar data: all bytes of it.
    :ivar exchange: the record of the first one.
    :ivar counted: what meters counted for that.
    """

    data: bytes
    exchange: Exchange
    counted: tuple[Callable[[], None], ...]
    subject: str
    began_at: int


@attrs.define(eq=False)
class ReadyAnswers:
    """The ready answers of one listener.

    :param changes: notes what answers are about.
    :param clock: the wall clock.
    """

    _changes: ChangeTimes
    _clock: IReactorTime
    _second: int = 0
    _size: int = 0
    _answers: dict[bytes, ReadyAnswer] = attrs.field(factory=dict)

    def find(self, head: bytes) -> ReadyAnswer | None:
        """Return the answer to a head, if there is one that is still right."""
        self._forget_old()
        found = self._answers.get(head)
        if found is None or self._has_changed(found.began_at, found.subject):
            return None
        return found

    def begin(self, head: bytes) -> Recording:
        """Return what records the answer to a head."""
        self._forget_old()
        return Recording(head, self._second, self._changes.now)

    def keep(self, recording: Recording, exchange: Exchange) -> None:
        """Keep an answer that may be given again, if it is still right."""
        self._forget_old()
        subject, data = recording.subject, recording.content
        if subject is None or data is None or recording.second != self._second:
            return
        if not self._has_changed(recording.began_at, subject):
            counted = tuple(recording.counted)
            answer = ReadyAnswer(data, exchange, counted, subject, recording.began_at)
            self._put(recording.head, answer)

    def _has_changed(self, since: int, subject: str) -> bool:
        return self._changes.since(since, subject, CONTENT)

    def _put(self, head: bytes, answer: ReadyAnswer) -> None:
        before = self._answers.pop(head, None)
        if before is not None:
            self._size -= _size_of(head, before)
        size = _size_of(head, answer)
        if self._size + size <= MAX_BYTES:
            self._size += size
            self._answers[head] = answer

    def _forget_old(self) -> None:
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._size = second, 0
            self._answers.clear()


def _size_of(head: bytes, answer: ReadyAnswer) -> int:
    return len(head) + len(answer.data) + _ANSWER_BYTES
