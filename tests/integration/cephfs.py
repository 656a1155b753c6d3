"""CephFS, on loopback: a real network file system for the tests, and its clients.

The cluster is the one of the object store, with a metadata server instead of a gateway.
Each mount is a client of its own, by FUSE, as each machine has one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import attrs
from twisted.trial.unittest import SkipTest

from tests.integration.ceph import Ceph
from tests.integration.support import find, require, which

_PROGRAMS = ("ceph-mon", "ceph-osd", "ceph-authtool", "ceph-mds", "ceph-fuse")


@attrs.define(eq=False)
class CephFs(Ceph):
    """A file system that runs until :meth:`stop`."""

    _mounts: list[Path] = attrs.field(factory=list)

    def mount(self, name: str) -> Path:
        """Mount it once more, and wait until it is there."""
        place = self.home / name
        place.mkdir()
        client = self._begin(
            *("ceph-fuse", name, "-n", "client.admin", str(place)),
            f"--admin-socket={self.home}/{name}.asok",
        )
        self._mounts.append(place)
        self._wait(lambda: client.poll() is None and os.path.ismount(place))
        return place

    def stop(self) -> None:
        """End all; mounts first, as they would wait for servers that are gone."""
        for place in self._mounts:
            command = ("umount", "--lazy", place)
            subprocess.run(command, capture_output=True, timeout=60, check=False)
        super().stop()

    def _start(self) -> None:
        self._start_cluster()
        for pool in ("metadata", "data"):
            self._do("ceph", "osd", "pool", "create", pool, "4")
        self._do("ceph", "fs", "new", "cephfs", "metadata", "data")
        server = self._begin("ceph-mds", "mds", "-i", "a")
        self._wait(lambda: server.poll() is None and "up:active" in self._told())

    def _begin(self, program: str, name: str, *args: str) -> subprocess.Popen[bytes]:
        config = ("-c", str(self.home / "ceph.conf"))
        return self._spawn(name, which(program), *config, "-f", *args)

    def _told(self) -> str:
        return self._do("ceph", "mds", "stat")


_shared: list[CephFs] = []


def shared_cephfs() -> CephFs:
    """Give the one of this process, which ends with it; start it if need be."""
    if not os.environ.get("TXREGISTRY_CEPHFS"):
        raise SkipTest("set TXREGISTRY_CEPHFS=1, or run make cephfs-test")
    if not all(find(name) for name in _PROGRAMS):
        require(*_PROGRAMS)
    if not _shared:
        _shared.append(CephFs.start().stop_at_exit())
    return _shared[0]
