"""The secret of a registry that is configured without one, kept over restarts.

Processes that share a storage directory start at the same time: the first to make the
file decides for all.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

import attrs
from twisted.application.service import Service
from twisted.logger import Logger

from txregistry.storagedriver.filesystem.atomic import put_private

_LENGTH = 32

_log = Logger()


@attrs.define(eq=False, slots=False)
class Secret(Service):
    """Provides a secret once it has started.

    :param given: that of the configuration; empty for one in a file.
    :param path: see :func:`kept_secret`.
    :param is_apart: others use the storage, and cannot know this secret.
    """

    _given: bytes
    _path: str
    _is_apart: bool = False
    _value: bytes = b""

    def startService(self) -> None:
        """Read it; the directory is locked by now."""
        if self._is_apart and not self._given:
            _log.warn(
                "http.secret is not set: this process makes one of its own, and an"
                " upload cannot be continued at another, or after a restart"
            )
        self._value = self._given or kept_secret(self._path)
        super().startService()

    def value(self) -> bytes:
        """Give its bytes; empty before the start."""
        return self._value


def kept_secret(path: str) -> bytes:
    """Give the secret in a file, which is made if it does not exist.

    :param path: empty for one that ends with the process.
    :return: 32 bytes. If the file cannot be made or read, they are new each time, with
        a warning in the log.
    """
    if not path:
        return secrets.token_bytes(_LENGTH)
    try:
        return _read(path) or _make(path)
    except OSError as error:
        _log.warn("cannot keep a secret in {path}: {error}", path=path, error=error)
        return secrets.token_bytes(_LENGTH)


def _make(path: str) -> bytes:
    """Make the file; give what is in it, which another process may have made."""
    aside = f"{path}.{secrets.token_hex(16)}.tmp"
    put_private(aside, secrets.token_bytes(_LENGTH))
    try:
        os.link(aside, path)
    except OSError:
        # One is there that is no secret of ours, or the file system has no hard links.
        if not _read(path):
            os.replace(aside, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(aside)
    return _read(path)


def _read(path: str) -> bytes:
    """Give the content of the file, or nothing if it is not a secret of ours."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        found = file.read(_LENGTH + 1)
        if len(found) == _LENGTH:
            return found
    return b""
