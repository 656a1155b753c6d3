"""Credentials for an upstream: from the configuration, or from a helper command."""

from __future__ import annotations

import json
from contextlib import suppress

import attrs
from twisted.internet.defer import Deferred, DeferredSemaphore, fail, succeed
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.lru import Lru

#: The user name by which a helper marks the secret as a refresh token.
_IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 - defined by the protocol

#: Servers whose credentials are cached, and commands that run at once. Both need a
#: limit, as an upstream may name a token service at any host and port of its domain.
MAX_SERVERS = 100
MAX_PROCESSES = 4

#: Output of a helper that is read, in bytes.
_MAX_OUTPUT_BYTES = 64 * 1024


@attrs.frozen
class Credentials:
    """A user name and a password, or an identity token (an OAuth2 refresh token)."""

    username: str = ""
    password: str = attrs.field(default="", repr=False)
    identity_token: str = attrs.field(default="", repr=False)


class ICredentialStore(Interface):
    """A source of credentials."""

    def credentials(server: str) -> Deferred[Credentials | None]:
        """Fire with the credentials for a server (``host[:port]``), or ``None``."""

    def forget(server: str) -> bool:
        """Forget refused credentials; return whether a new lookup may find others."""


@implementer(ICredentialStore)
@attrs.define(eq=False)
class StaticCredentials:
    """The configured credentials, the same for every trusted server."""

    _credentials: Credentials | None

    def credentials(self, server: str) -> Deferred[Credentials | None]:
        """Fire with the configured credentials."""
        return succeed(self._credentials)

    def forget(self, server: str) -> bool:
        """Return false: there are no others."""
        return False


@implementer(ICredentialStore)
@attrs.define(eq=False)
class HelperCredentials:
    """Credentials from a docker-credential-helper command.

    :param command: is run by the shell; see :func:`run_helper`.
    :param lifetime: seconds for which credentials are cached; ``None`` for no limit, 0
        to disable caching.
    :param timeout: seconds after which the command is killed.
    """

    _reactor: IReactorProcess
    _clock: IReactorTime
    _command: str
    _lifetime: float | None
    _timeout: float = 30.0
    _cache: Lru[str, tuple[float, Credentials]] = attrs.field(
        factory=lambda: Lru(MAX_SERVERS)
    )
    _flights: Flights[str, Credentials | None] = attrs.field(factory=Flights)
    _slots: DeferredSemaphore = attrs.field(
        factory=lambda: DeferredSemaphore(MAX_PROCESSES)
    )
    _log = Logger()

    @deferred
    async def credentials(self, server: str) -> Credentials | None:
        """Fire with cached credentials, or run the command.

        Concurrent lookups for a server share one run. If the command fails, that is
        logged, and the Deferred fires with ``None``; the next lookup runs it again.
        """
        cached = self._cache.get(server)
        if cached is not None and self._is_fresh(cached[0]):
            return cached[1]
        return await self._flights.join(server, lambda: self._query(server))

    def forget(self, server: str) -> bool:
        """Forget the credentials of all servers; the next lookup runs the command."""
        self._cache.clear()
        return True

    def _is_fresh(self, fetched_at: float) -> bool:
        if self._lifetime is None:
            return True
        return 0 <= self._clock.seconds() - fetched_at < self._lifetime

    @deferred
    async def _query(self, server: str) -> Credentials | None:
        try:
            output = await self._slots.run(in_context(self._run), server)
            found = _parse(output)
        except (HelperFailed, ValueError, RecursionError) as error:
            self._log.warn(
                "credential helper failed for {server}: {error}; requests to it are "
                "sent without credentials; check the command of proxy.exec",
                server=server,
                error=str(error),
            )
            return None
        self._cache.put(server, (self._clock.seconds(), found))
        return found

    def _run(self, server: str) -> Deferred[bytes]:
        return run_helper(
            self._reactor, self._clock, self._command, server, self._timeout
        )


class HelperFailed(Exception):
    """The command failed or took too long."""


@attrs.define(eq=False, slots=False)
class _Helper(ProcessProtocol):
    _input: bytes
    done: Deferred[bytes]
    _output: bytes = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._input)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._output = (self._output + data)[:_MAX_OUTPUT_BYTES]

    def errReceived(self, data: bytes) -> None:
        """Drop it, as it may contain secrets."""

    def processEnded(self, reason: Failure) -> None:
        if self.done.called:
            return
        if reason.check(ProcessDone):
            self.done.callback(self._output)
        else:
            self.done.errback(HelperFailed(f"the command ended {_how(reason)}"))


def run_helper(
    reactor: IReactorProcess,
    clock: IReactorTime,
    command: str,
    server: str,
    timeout: float,
) -> Deferred[bytes]:
    """Run ``command get`` by the shell, with a server on its standard input.

    :param timeout: seconds after which it is killed.
    :return: fires with its standard output; fails with :class:`HelperFailed`.
        Cancelling kills it.
    """

    def kill(_: Deferred[bytes]) -> None:
        # It may have exited while a child of it holds the pipes open.
        with suppress(ProcessExitedAlready):
            process.signalProcess("KILL")
        process.loseConnection()

    done: Deferred[bytes] = Deferred(kill)
    protocol = _Helper(server.encode("utf-8") + b"\n", done)
    arguments = ["/bin/sh", "-c", f"exec {command} get"]
    try:
        process = reactor.spawnProcess(protocol, arguments[0], arguments, None)
    except OSError as error:
        return fail(HelperFailed(f"the command cannot be started: {error.strerror}"))

    def timed_out(_: object, seconds: float) -> bytes:
        raise HelperFailed(f"the command took more than {seconds:g} s")

    return done.addTimeout(timeout, clock, timed_out)


def _how(reason: Failure) -> str:
    """Describe an unsuccessful end for a log."""
    signal = getattr(reason.value, "signal", None)
    if signal is not None:
        return f"by signal {signal}"
    return f"with status {getattr(reason.value, 'exitCode', None)}"


def _parse(output: bytes) -> Credentials:
    fields = json.loads(output)
    if not isinstance(fields, dict):
        raise ValueError("the command wrote no JSON object")
    username, secret = fields.get("Username", ""), fields.get("Secret", "")
    if not isinstance(username, str) or not isinstance(secret, str):
        raise ValueError("the command wrote a Username or Secret that is no string")
    if username == _IDENTITY_TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(username, secret)
