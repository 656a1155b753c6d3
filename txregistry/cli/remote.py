"""A daemon that is asked over its admin listener, perhaps from another machine.

The variable ``TXREGISTRY_ADMIN`` names it: a URL, which may have a user and a password,
or the path of a socket. Without it, and where a command names a configuration, commands
use the control socket of this machine.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from txregistry.cli.daemon import PATIENCE, DaemonFailed, TellMade
from txregistry.cli.exits import NOT_PERMITTED
from txregistry.cli.interrupt import on_interrupt

#: The variable that names an admin listener.
VARIABLE = "TXREGISTRY_ADMIN"

#: Seconds between two looks at an action under way.
LOOK_SECONDS = 0.5

_API = "/api/v1"


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def daemon_elsewhere(file: str | None) -> RemoteDaemon | None:
    """Give the daemon that the variable names; ``None`` without it.

    :param file: the configuration that the command line names, which comes first.
    :raise DaemonFailed: it names none.
    """
    where = None if file else os.environ.get(VARIABLE)
    return RemoteDaemon(where) if where else None


class RemoteDaemon:
    """A daemon that does commands by its API.

    :param where: as the variable has it.
    """

    def __init__(self, where: str) -> None:
        self._where, self._is_path = where, where.startswith("/")
        try:
            self._url, self._token = urlsplit(where), ""
            is_url = self._url.scheme in ("http", "https") and self._url.port != 0
        except ValueError:
            is_url = False  # no port, or no address
        if not self._is_path and not is_url:
            raise DaemonFailed(f"{VARIABLE}: expected a URL, or the path of a socket")

    def ask(
        self, command: str, options: Mapping[str, Any], tell: TellMade
    ) -> dict[str, Any]:
        """Have it do a command; give its report.

        :raise DaemonFailed: it does not do it.
        """
        session = self._send("GET", "/session")
        question = {"action": command, "options": dict(options)}
        if command in session["reports"]:
            report: dict[str, Any] = self._send("POST", "/reports", question)["report"]
            return report
        if command not in session["actions"]:
            raise DaemonFailed(f"{self._name}: {command} is not done there")
        if not session["may_act"]:
            user = session["user"]
            raise DaemonFailed(f"{self._name}: {user} may not act there", NOT_PERMITTED)
        self._token = session["token"]
        return self._act(question, tell)

    def _act(self, question: Mapping[str, Any], tell: TellMade) -> dict[str, Any]:
        """Begin an action, and follow it to its end; an interrupt stops it."""
        job = self._send("POST", "/jobs", question)
        stopped: list[int] = []

        def stop() -> None:
            stopped.append(job["number"])
            self._send("POST", f"/jobs/{job['number']}/stop", {})

        with on_interrupt(stop):
            job = self._followed(job, tell)
        if job["state"] == "stopped" and stopped:
            raise KeyboardInterrupt
        if job["state"] != "done":
            raise DaemonFailed(job["error"] or job["state"])
        report: dict[str, Any] = job["report"]
        return report

    def _followed(self, job: dict[str, Any], tell: TellMade) -> dict[str, Any]:
        told: dict[str, Any] = {}
        while True:
            _tell_new(job["progress"], told, tell)
            if job["state"] != "running":
                return job
            time.sleep(LOOK_SECONDS)
            job = self._send("GET", f"/jobs/{job['number']}")

    def _send(
        self, method: str, path: str, values: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        connection = self._connection()
        body = None if values is None else json.dumps(values)
        try:
            connection.request(
                method, self._url_path(path), body, self._headers(body is not None)
            )
            answer = connection.getresponse()
            return self._read(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise DaemonFailed(f"{self._name} does not answer: {error}") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._is_path:
            return _SocketConnection(self._where)
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                host, port, timeout=PATIENCE, context=context
            )
        return http.client.HTTPConnection(host, port, timeout=PATIENCE)

    def _url_path(self, path: str) -> str:
        prefix = "" if self._is_path else self._url.path.rstrip("/")
        return f"{prefix}{_API}{path}"

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {"X-CSRF-Token": self._token} if self._token else {}
        if has_body:
            headers["Content-Type"] = "application/json"
        if not self._is_path and self._url.username:
            password = unquote(self._url.password or "")
            both = f"{unquote(self._url.username)}:{password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
        return headers

    def _read(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DaemonFailed(f"{self._name} is no admin listener of txregistry")
        if status < 400:
            return found
        why = "; ".join(map(_said, found.get("errors") or [])) or f"status {status}"
        code = NOT_PERMITTED if status in (401, 403) else None
        raise DaemonFailed(f"{self._name}: {why}", *(() if code is None else (code,)))

    @property
    def _name(self) -> str:
        """Where it is, without a password."""
        if self._is_path:
            return self._where
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.scheme}://{self._url.hostname}{port}"


def _said(error: Any) -> str:
    detail = error.get("detail")
    if isinstance(detail, dict):
        detail = ", ".join(map(str, detail.values()))
    return f"{error.get('message')}{f': {detail}' if detail else ''}"


def _tell_new(
    progress: list[Mapping[str, Any]], told: dict[str, Any], tell: TellMade
) -> None:
    """Tell what is new of the last look."""
    for made in progress:
        key = str(made.get("digest") or made.get("stage") or "")
        if told.get(key) != made:
            told[key] = made
            tell(made)
