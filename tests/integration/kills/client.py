"""A client that knows whether an answer was whole."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from typing import Any

import attrs

#: Seconds after which a registry that is alive has to have answered.
PATIENCE = 60.0


class Gone(Exception):
    """The registry went away before its answer was whole."""


@attrs.frozen
class Answer:
    """A whole answer."""

    status: int
    headers: Any
    body: bytes

    @property
    def location(self) -> str:
        found = str(self.headers["Location"])
        return found[found.index("/v2/") :]


class Client:
    """One kept connection to a registry on this machine."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=PATIENCE
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        **headers: str,
    ) -> Answer:
        """Send a request; give its answer when all of it is here.

        :param body: what is not bytes is sent in chunks.
        :raise Gone: there was no whole answer.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        chunked = not isinstance(body, bytes)
        if chunked:
            named["Transfer-Encoding"] = "chunked"
        try:
            self._connection.request(method, path, body, named, encode_chunked=chunked)
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Gone(f"{method} {path}: {error!r}") from error

    def close(self) -> None:
        self._connection.close()
