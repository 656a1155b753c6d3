"""A small SQLite database on its own thread, replaced when it is damaged.

For state that can be rebuilt or lost: a damaged file must never keep the process from
starting.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txregistry.flow.disk import Disk

T = TypeVar("T")

#: A function that runs inside one transaction.
Work = Callable[[sqlite3.Connection], T]

#: Errors of an intact file: busy, disk full or read-only, which may be temporary; a
#: violated constraint; a mistake in a statement or its parameters.
_NO_DAMAGE = (
    sqlite3.OperationalError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
)


@attrs.define(eq=False)
class Database:
    """One database file, or memory for ``:memory:``.

    :param disk: must have exactly one thread: the connection is not shared.
    :param version: schema version; a file with another one is renamed and replaced.
    :param durable: commits are synced to the disk, not only written to the kernel.
    :ivar generation: increases each time a damaged file was replaced by an empty one.
    """

    path: str
    _disk: Disk
    _schema: str
    _version: int
    _durable: bool = False
    _connection: sqlite3.Connection | None = None
    generation: int = 0
    _log = Logger()

    def run(self, work: Work[T]) -> Deferred[T]:
        """Run a function in a transaction, on the database's thread.

        :return: fires with its result after the commit. Fails with ``sqlite3.Error``,
            or with what the function raises, after a rollback.
        """
        return self._disk.run(self._run, work)

    def close(self) -> Deferred[None]:
        """Close the file; the next :meth:`run` opens it again."""
        return self._disk.run(self._disconnect)

    def _run(self, work: Work[T]) -> T:
        try:
            return self._transact(work)
        except _NO_DAMAGE:
            raise
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return self._transact(work)

    def _transact(self, work: Work[T]) -> T:
        if self._connection is None:
            self._connection = self._connect()
        with self._connection as db:
            return work(db)

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        self._disconnect()
        try:
            for suffix in ("", "-wal", "-shm"):
                if os.path.exists(self.path + suffix):
                    os.replace(self.path + suffix, f"{self.path}{suffix}.corrupt")
        except OSError as reason:
            message = f"{self.path} is damaged ({error}) and in the way: {reason}"
            raise sqlite3.OperationalError(message) from reason
        self.generation += 1
        self._log.warn(
            "database {path} could not be used ({error}): it was renamed to"
            " {path}.corrupt, and an empty one replaces it",
            path=self.path,
            error=str(error),
        )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        if self.path != ":memory:":
            _make_private(self.path)
        connection = sqlite3.connect(self.path, timeout=5.0, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        level = "FULL" if self._durable else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {level}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, self._version):
            raise sqlite3.DatabaseError(f"unknown version {version}")
        connection.executescript(self._schema)
        connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _make_private(path: str) -> None:
    """Create the file with mode 0600, or set that mode on an existing one.

    SQLite gives its ``-wal`` and ``-shm`` files the same mode.

    :raise sqlite3.OperationalError: the file cannot be created or opened.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    try:
        # The mode of a file owned by another user cannot be changed.
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
