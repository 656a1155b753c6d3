"""Blocking work on paths: where it is done, and what its failures are to the driver."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import DriverError, FileBusy, PathNotFound
from txregistry.interfaces.driverpaths import check_directory, check_file
from txregistry.speed.failures import failed
from txregistry.storagedriver.filesystem.shared import look_again, may_wait
from txregistry.storagedriver.filesystem.stat import is_nothing

T = TypeVar("T")

#: Gives the real place of a path, or raises ``DriverError``.
Locate = Callable[[], str]


@attrs.define(eq=False)
class PathWork:
    """Does work on paths below a root, in the reactor thread or on a pool.

    :param driver: the name of the driver, which its errors tell.
    :param may_wait: whether each look at a file may wait for a network; ``None`` to
        find out.
    """

    _driver: str
    _root: str
    _disk: Disk
    _is_shared: bool
    _may_wait: bool | None

    @property
    def is_remote(self) -> bool:
        """Whether all work is done on the pool."""
        if self._is_shared and self._may_wait is None:
            self._may_wait = may_wait(self._root)
        return self._is_shared and self._may_wait is not False

    def file(self, path: str) -> Locate:
        """Locate a file."""
        return lambda: self._root + check_file(self._driver, path)

    def directory(self, path: str) -> Locate:
        """Locate a directory, which may be the root."""
        return lambda: (self._root + check_directory(self._driver, path)).rstrip("/")

    def here(
        self,
        path: str,
        work: Callable[..., T | Deferred[T]],
        locate: Locate,
        *args: Any,
    ) -> Deferred[T]:
        """Do work that takes no longer than to look at a file.

        :param path: what errors name.
        :param work: called with the real place and ``args``.
        :return: fires and fails as the work does, with ``DriverError`` for ``OSError``.
        """
        if self.is_remote:
            return self.there(path, work, lambda _: locate, *args)  # type: ignore[arg-type]
        try:
            result = work(locate(), *args)
        except OSError as error:
            return failed(self.translate(path, error))
        except DriverError as error:
            return failed(error)
        if isinstance(result, Deferred):
            return result.addErrback(self.translate_failure, path)
        return succeed(result)

    def there(
        self,
        path: str,
        work: Callable[..., T],
        locate: Callable[[str], Locate],
        *args: Any,
    ) -> Deferred[T]:
        """Do work on the pool; see :meth:`here`."""
        if self._is_shared:
            work = partial(look_again, work)
        done: Deferred[T] = maybeDeferred(
            lambda: self._disk.run(work, locate(path)(), *args)
        )
        return done.addErrback(self.translate_failure, path)

    def translate_failure(self, failure: Failure, path: str) -> Failure:
        """Turn an ``OSError`` into the driver's own."""
        if isinstance(failure.value, OSError):
            return Failure(self.translate(path, failure.value))
        return failure

    def translate(self, path: str, error: OSError) -> DriverError:
        """Return what an ``OSError`` is to the driver."""
        if isinstance(error, FileNotFoundError):
            return PathNotFound(self._driver, path)
        if is_nothing(error):
            return PathNotFound(self._driver, path, error.strerror or "")
        busy = self._is_shared and error.errno == errno.EBUSY
        kind = FileBusy if busy else DriverError
        told = kind(self._driver, path, error.strerror or str(error))
        told.__cause__ = error
        return told
