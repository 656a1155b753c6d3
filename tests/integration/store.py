"""What the object stores of the tests have in common: processes, a URL, one user."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar, Self

import attrs
from twisted.internet.defer import Deferred

from txregistry.storagedriver.s3.driver import S3Driver
from txregistry.storagedriver.s3.request import Ask


@attrs.define(eq=False)
class ObjectStore:
    """A store on loopback that runs until :meth:`stop`.

    :cvar region: that questions are signed for.
    :cvar status: of the answer to ``GET /`` of nobody.
    """

    home: Path
    port: int
    _running: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    region: ClassVar[str]
    access_key: ClassVar[str]
    secret_key: ClassVar[str]
    status: ClassVar[int] = 200

    @property
    def url(self) -> str:
        """Give the address for S3."""
        return f"http://127.0.0.1:{self.port}"

    def section(self, bucket: str, **more: object) -> dict[str, object]:
        """Give what ``storage.s3`` has to say for a bucket."""
        return {
            "bucket": bucket,
            "region": self.region,
            "regionendpoint": self.url,
            "accesskey": self.access_key,
            "secretkey": self.secret_key,
            **more,
        }

    def make_bucket(self, driver: S3Driver) -> Deferred[object]:
        """Make the bucket of a driver."""
        return driver._parts.client.do(Ask("PUT"))

    def begin(self) -> Self:
        """Start all, and wait until it answers."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End what was started last first, and forget all."""
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        self._running.clear()
        shutil.rmtree(self.home, ignore_errors=True)

    def stop_at_exit(self) -> Self:
        """End with this process."""
        atexit.register(self.stop)
        return self

    def _start(self) -> None:
        raise NotImplementedError

    def _spawn(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.out").open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)
        return process

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == self.status
        except OSError:
            return False
        finally:
            connection.close()

    def _wait(self, is_there: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not is_there():
            if time.monotonic() > end:
                raise RuntimeError("the store does not answer")
            time.sleep(0.05)
