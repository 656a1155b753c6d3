"""A small SQLite database on a thread of its own, set aside when it is damaged.

For state that can be rebuilt or done without: a file that is no database any more must
never keep a process from starting.
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

#: Work that is done within one transaction.
Work = Callable[[sqlite3.Connection], T]


@attrs.define(eq=False)
class Database:
    """One file, or memory for ``:memory:``.

    :param disk: has exactly one thread: SQLite is asked one question at a time.
    :param version: of the schema; a file of another one is set aside.
    :param durable: a commit waits for the disk, not only for the kernel.
    :ivar generation: grows when the file was not usable and has been set aside.
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
        """Do work in a transaction.

        :return: fires with what it gives. Fails with ``sqlite3.Error``, and then
            nothing of it was done.
        """
        return self._disk.run(self._run, work)

    def close(self) -> Deferred[None]:
        """Close the file; it is opened again when asked."""
        return self._disk.run(self._shut)

    def _run(self, work: Work[T]) -> T:
        try:
            return self._transact(work)
        except (sqlite3.OperationalError, sqlite3.IntegrityError):
            raise  # busy, full, read-only: may pass
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return self._transact(work)

    def _transact(self, work: Work[T]) -> T:
        if self._connection is None:
            self._connection = self._connect()
        with self._connection as db:
            return work(db)

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        self._shut()
        self._log.warn(
            "{path} is not usable ({error}); it is set aside and made anew",
            path=self.path,
            error=str(error),
        )
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.replace(self.path + suffix, f"{self.path}{suffix}.corrupt")
        self.generation += 1

    def _shut(self) -> None:
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
    """Make a file that nobody else may read, or keep others from one that is there.

    What SQLite puts beside it gets the same mode.

    :raise sqlite3.OperationalError: it cannot be opened.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    try:
        # A file that somebody else owns is his to protect.
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
