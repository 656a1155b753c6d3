"""Asks the store: signs, waits, and asks again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from txregistry.flow.deferred import deferred
from txregistry.flow.retry import backoff, retry
from txregistry.flow.streams import Watchdog
from txregistry.storagedriver.s3.answers import late_failure, read_failure, read_time
from txregistry.storagedriver.s3.endpoint import BucketPlace
from txregistry.storagedriver.s3.pace import PROGRESS_BYTES
from txregistry.storagedriver.s3.request import (
    Answer,
    Ask,
    Refused,
    Stalled,
    StoreUnreachable,
)
from txregistry.storagedriver.s3.responses import (
    collected,
    headers_of,
    was_cancelled,
    why,
)
from txregistry.storagedriver.s3.signing import (
    FrozenKeys,
    Keychain,
    encoded,
    signed_headers,
)
from txregistry.storagedriver.s3.transport import PartBody

#: Seconds after which a store that does not move, or that gives a byte now and then, is
#: given up.
STALL_SECONDS = 60.0

#: Seconds that completing an upload, or copying, may take while a byte comes now and
#: then, by which the store says that it is at work.
LASTING_SECONDS = 600.0

#: How often is asked again, and the seconds before: six in all, then the client of the
#: registry hears of it.
_RETRIES, _FIRST_DELAY, _MAX_DELAY = 6, 0.1, 3.0

#: Of questions that stalled: each has cost a minute.
_STALLED_RETRIES = 1

#: Bytes of an answer that is read whole: a page of a list has less than 2 MiB.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

#: Makes of an answer what was asked for.
_Reading = Callable[[Ask, IResponse, Watchdog], Deferred[Any]]

#: Seconds that our clock may differ from the store's; more is corrected.
_MAX_SKEW = 240.0


@attrs.define(eq=False)
class Client:
    """Asks one bucket.

    :param trace: is told of each question and its end.
    """

    _agent: Callable[[], IAgent]
    _endpoint: BucketPlace
    _keychain: Keychain
    _clock: IReactorTime
    _jitter: Callable[[], float]
    _useragent: str
    _trace: Callable[[str], None] | None = None
    _skew: float = 0.0
    asked: int = 0
    _log = Logger()

    @deferred
    async def do(self, ask: Ask) -> Answer:
        """Ask, and read the answer.

        Fails with ``Refused`` or ``StoreUnreachable``, both after some attempts.
        """
        answer: Answer = await self._repeatedly(ask, self._read)
        return answer

    @deferred
    async def open(self, ask: Ask) -> IResponse:
        """Ask, and give the answer's head; its body waits.

        Fails as :meth:`do` does.
        """
        response: IResponse = await self._repeatedly(ask, self._head)
        return response

    @deferred
    async def remove(self, ask: Ask) -> None:
        """Ask to delete one thing, which need not be there; fails as :meth:`do`.

        Some stores say of an object that is not there that it is missing, and so they
        do when an earlier attempt has deleted it.
        """
        try:
            await self.do(ask)
        except Refused as error:
            if not error.is_missing:
                raise

    def wait(self, seconds: float) -> Deferred[None]:
        """Fire some time later."""
        return deferLater(self._clock, seconds)

    def delays(self) -> Any:
        """Give the seconds to wait before each further attempt."""
        return backoff(_RETRIES, _FIRST_DELAY, _MAX_DELAY, self._jitter)

    def _repeatedly(self, ask: Ask, read: _Reading) -> Deferred[Any]:
        state = _Attempts()
        return retry(
            self._clock,
            self.delays(),
            lambda: self._once(ask, read, state),
            lambda error, planned: self._next(state, error, planned),
        )

    def _next(
        self, state: _Attempts, error: BaseException, planned: float
    ) -> float | None:
        if isinstance(error, Refused):
            if error.is_passing:
                return planned
            if self._correct_clock(error) and not state.clock_was_set:
                state.clock_was_set = True
                return 0.0
            if error.is_stale and not state.renewed and self._may_renew(state):
                state.renewed = True
                return 0.0
            return None
        if isinstance(error, Stalled):
            state.stalled += 1
            return planned if state.stalled <= _STALLED_RETRIES else None
        return planned if isinstance(error, StoreUnreachable) else None

    def _may_renew(self, state: _Attempts) -> bool:
        return state.keys is not None and self._keychain.refused(state.keys)

    def _correct_clock(self, error: Refused) -> bool:
        """Learn the store's time of a refusal; tell if it is another than ours."""
        theirs = read_time(error.headers.get("date", ""))
        if error.failed.status != 403 or not theirs:
            return False
        skew = theirs - self._clock.seconds()
        if abs(skew - self._skew) < _MAX_SKEW:
            return False
        self._log.warn("our clock differs from the store's by {s} s", s=round(skew))
        self._skew = skew
        return True

    @property
    def now(self) -> float:
        """Give the time as the store has it, in seconds since the epoch."""
        return self._clock.seconds() + self._skew

    @deferred
    async def _once(self, ask: Ask, read: _Reading, state: _Attempts) -> Any:
        keys = state.keys = await self._keychain.keys()
        stalled: list[float] = []
        steps = self._steps(ask, keys, read, stalled)
        try:
            return await steps
        except CancelledError as error:
            if not stalled:
                raise
            raise Stalled(f"no answer for {stalled[0]:.0f} s") from error

    def _steps(
        self,
        ask: Ask,
        keys: FrozenKeys,
        read: _Reading,
        stalled: list[float],
    ) -> Deferred[Any]:
        work: Deferred[Any]

        def watch(seconds: float) -> Watchdog:
            def give_up() -> None:
                stalled.append(seconds)
                work.cancel()

            return Watchdog(self._clock, seconds, give_up)

        watchdog, limit = watch(STALL_SECONDS), watch(LASTING_SECONDS)
        watchdog.arm()
        if ask.result:
            limit.arm()
        work = self._exchange(ask, keys, read, watchdog)

        def end(result: Any) -> Any:
            watchdog.disarm()
            limit.disarm()
            return result

        return work.addBoth(end)

    @deferred
    async def _exchange(
        self,
        ask: Ask,
        keys: FrozenKeys,
        read: _Reading,
        watchdog: Watchdog,
    ) -> Any:
        response = await self._send(ask, keys, watchdog)
        if response.code >= 300:
            body = await collected(response, watchdog, MAX_ANSWER_BYTES)
            self._tell(ask, response.code)
            raise Refused(read_failure(response.code, body), headers_of(response))
        self._tell(ask, response.code)
        return await read(ask, response, watchdog)

    @deferred
    async def _send(self, ask: Ask, keys: FrozenKeys, watchdog: Watchdog) -> IResponse:
        self.asked += 1
        url = self._endpoint.url(ask.key, encoded(ask.query))
        given = {**ask.headers, "x-amz-content-sha256": ask.sha256}
        signed = signed_headers(
            keys, self._endpoint.region, ask.method, url, given, self.now
        )
        signed["User-Agent"] = self._useragent
        body = None
        if ask.body or ask.method in ("PUT", "POST"):
            body = PartBody(ask.body, watchdog.arm)
        headers = Headers({name: [value] for name, value in signed.items()})
        try:
            return await self._agent().request(
                ask.method.encode(), url.encode(), headers, body
            )
        except CancelledError:
            raise
        except Exception as error:
            if was_cancelled(error):
                raise CancelledError from error
            self._tell(ask, error)
            raise StoreUnreachable(why(error)) from error

    def _head(
        self, ask: Ask, response: IResponse, watchdog: Watchdog
    ) -> Deferred[IResponse]:
        done: Deferred[IResponse] = Deferred()
        done.callback(response)
        return done

    @deferred
    async def _read(self, ask: Ask, response: IResponse, watchdog: Watchdog) -> Answer:
        body, headers = b"", headers_of(response)
        if ask.method != "HEAD":
            progress = 1 if ask.result else PROGRESS_BYTES
            body = await collected(response, watchdog, MAX_ANSWER_BYTES, progress)
        failed = late_failure(body, ask.result) if ask.result else None
        if failed is not None:
            raise Refused(failed, headers)
        return Answer(response.code, headers, body)

    def _tell(self, ask: Ask, end: object) -> None:
        if self._trace is not None:
            self._trace(f"{ask}: {end}")


@attrs.define
class _Attempts:
    """What was tried for one question."""

    keys: FrozenKeys | None = None
    clock_was_set: bool = False
    renewed: bool = False
    stalled: int = 0
