"""The secret of a registry that was given none, kept over restarts."""

from __future__ import annotations

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
    """Has a secret from its start on.

    :param given: that of the configuration; empty for one that is kept.
    :param path: see :func:`kept_secret`.
    """

    _given: bytes
    _path: str
    _value: bytes = b""

    def startService(self) -> None:
        """Read it; the directory is ours by now."""
        self._value = self._given or kept_secret(self._path)
        super().startService()

    def value(self) -> bytes:
        """Give its bytes; there are none before the start."""
        return self._value


def kept_secret(path: str) -> bytes:
    """Give the secret in a file, which is made if there is none.

    :param path: empty for one that ends with the process.
    :return: 32 bytes. Where the file cannot be made or read they are new each time, and
        the log says so.
    """
    if not path:
        return secrets.token_bytes(_LENGTH)
    try:
        found = _read(path)
        if not found:
            found = secrets.token_bytes(_LENGTH)
            put_private(path, found)
        return found
    except OSError as error:
        _log.warn("no secret can be kept in {path}: {error}", path=path, error=error)
        return secrets.token_bytes(_LENGTH)


def _read(path: str) -> bytes:
    """Give what is there, or nothing if it is not what we wrote."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        found = file.read(_LENGTH + 1)
        if len(found) == _LENGTH:
            return found
    return b""
