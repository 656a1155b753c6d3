"""A daemon that gives and takes images, in memory."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from tests.cli.images import AskingCase
from tests.ocilayout.cases import CONFIG, IMAGE, LAYER
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest

TOP = str(Digest.of(IMAGE))


def part(content: bytes, kind: str = "blob", **more: Any) -> dict[str, Any]:
    """Describe a part of an image."""
    media_type = mediatypes.OCI_MANIFEST if kind == "manifest" else "application/x"
    found = {"digest": str(Digest.of(content)), "size": len(content)}
    return {**found, "media_type": media_type, "kind": kind, "refers": False, **more}


class CarryingDaemon:
    """Answers one question after the other.

    :ivar refusals: errors, by command.
    """

    def __init__(self, contents: tuple[bytes, ...]) -> None:
        self.content = {str(Digest.of(content)): content for content in contents}
        self.asked: list[dict[str, Any]] = []
        self.taken: dict[str, bytes] = {}
        self.refusals: dict[str, str] = {}
        self.lacking: list[str] | None = None
        self.stands = True
        self.parts = [part(IMAGE, "manifest"), part(CONFIG), part(LAYER)]

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            question = json.loads(lines.readline())
            self.asked.append(question)
            command = question["command"]
            if command in self.refusals:
                _say(connection, {"error": self.refusals[command]})
                return
            options = question["options"]
            report = self.do(command.replace("-", "_"), connection, lines, options)
            _say(connection, {"report": report})

    def do(self, command: str, *arguments: Any) -> Any:
        return getattr(self, f"do_{command}")(*arguments)

    def do_export_plan(self, connection: Any, lines: Any, options: Any) -> Any:
        images = [
            {
                "image": f"lib/{name}",
                "full_name": f"docker.io/lib/{name}",
                "digest": TOP,
                "media_type": mediatypes.OCI_MANIFEST,
                "size": len(IMAGE),
                "confirmed_at": 12.0,
                "parts": self.parts,
            }
            for name in options["images"]
        ]
        return {"images": images}

    def do_content(self, connection: socket.socket, lines: Any, options: Any) -> Any:
        content = self.content[options["digest"]]
        _say(connection, {"alive": True})
        _say(connection, {"content": len(content)})
        connection.sendall(content)
        return {}

    def do_import_lacks(self, connection: Any, lines: Any, options: Any) -> Any:
        digests = [blob["digest"] for blob in options["blobs"]]
        if self.lacking is not None:
            digests = [digest for digest in digests if digest in self.lacking]
        return {"digests": digests}

    def do_import_blob(
        self, connection: socket.socket, lines: BinaryIO, options: Any
    ) -> Any:
        _say(connection, {"send": options["size"]})
        self.taken[options["digest"]] = lines.read(options["size"])
        return {}

    do_import_manifest = do_import_blob

    def do_import_complete(self, connection: Any, lines: Any, options: Any) -> Any:
        return {"image": options["image"], "stands": self.stands}


def _say(connection: socket.socket, answer: dict[str, Any]) -> None:
    connection.sendall(json.dumps(answer).encode() + b"\n")


class CarryingCase(AskingCase):
    """A daemon with one image, and a directory."""

    def setUp(self) -> None:
        super().setUp()
        self.root = Path(self.socket).parents[1]
        self.path = self.root / "layout"
        self.daemon = CarryingDaemon((LAYER, CONFIG, IMAGE))

    def carry(self, command: str, *arguments: object) -> Any:
        """Run a command while the daemon answers."""
        words = [str(argument) for argument in arguments]
        with self.serving():
            return self.run_command(command, "-c", self.config, *words)

    @contextmanager
    def serving(self) -> Iterator[None]:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(self.socket)
        listening.listen()
        listening.settimeout(60)
        ended = threading.Event()

        def serve() -> None:
            while True:
                connection = listening.accept()[0]
                if ended.is_set():
                    connection.close()
                    return
                with suppress(OSError):  # the client has left
                    self.daemon.serve(connection)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield
        finally:
            ended.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(self.socket)
            server.join()
            listening.close()
            Path(self.socket).unlink()
