"""A control socket that gives one answer."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def answering(path: str, answer: dict[str, Any]) -> Iterator[list[Any]]:
    """Listen at a path and answer the first question, on a thread.

    :return: receives the question.
    """
    asked: list[Any] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        listening.settimeout(60)

        def serve() -> None:
            with listening.accept()[0] as connection:
                asked.append(json.loads(connection.makefile("rb").readline()))
                connection.sendall(json.dumps(answer).encode() + b"\n")

        server = threading.Thread(target=serve)
        server.start()
        yield asked
        server.join()
    os.unlink(path)
