"""Ceph with its S3 gateway, on loopback: a real object store for the tests.

One monitor, one daemon that keeps objects in memory, and radosgw. It checks signatures,
serves within seconds, and is thrown away at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

import attrs

from tests.integration.store import ObjectStore
from tests.integration.support import free_port, require

_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool")

_CONFIG = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {home}/keyring
run dir = {home}
admin socket = {home}/$name.asok
pid file =
log file = {home}/$name.log
mon cluster log file = {home}/cluster.log
crash dir = {home}
mon data = {home}/mon
mon data avail warn = 0
mon data avail crit = 0
paxos propose interval = 0.05
paxos min wait = 0.01
osd data = {home}/osd
osd objectstore = memstore
memstore device bytes = 17179869184
osd crush chooseleaf type = 0
osd crush initial weight = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mds data = {home}/mds
mds tick interval = 0.1
rgw data = {home}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 32
"""


def has_ceph() -> bool:
    """Tell if the programs are installed."""
    return all(shutil.which(name) for name in _PROGRAMS)


@attrs.define(eq=False)
class Ceph(ObjectStore):
    """A gateway that runs until :meth:`stop`."""

    region = "default"
    access_key, secret_key = "AKTESTTESTTESTTEST", "secretsecretsecretsecretsecret"

    @classmethod
    def start(cls) -> Ceph:
        """Start one, and wait until it answers."""
        # Paths of sockets have at most 107 bytes.
        home = Path(tempfile.mkdtemp(prefix="ceph", dir="/tmp"))
        return cls(home, free_port()).begin()

    def rss_bytes(self) -> int:
        """Give the memory of all its processes."""
        pages = 0
        for process in self._running:
            with suppress(OSError):
                text = Path(f"/proc/{process.pid}/statm").read_text()
                pages += int(text.split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _start(self) -> None:
        self._start_cluster()
        self._do(
            *("radosgw-admin", "user", "create", "--uid=u", "--display-name=u"),
            *(f"--access-key={self.access_key}", f"--secret-key={self.secret_key}"),
        )
        gateway = self._run("radosgw", "-n", "client.rgw", "-f")
        self._wait(lambda: gateway.poll() is None and self._answers())

    def _start_cluster(self) -> None:
        """Start what keeps objects, without a gateway to it."""
        mon_port, fsid = free_port(), str(uuid.uuid4())
        config = _CONFIG.format(
            home=self.home, fsid=fsid, mon_port=mon_port, port=self.port
        )
        (self.home / "ceph.conf").write_text(config)
        self._make_keys()
        self._start_monitor(fsid, mon_port)
        osd = str(uuid.uuid4())
        self._do("ceph", "osd", "new", osd)
        (self.home / "osd").mkdir()
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("ceph-osd", "-i", "0", "-f")

    def _make_keys(self) -> None:
        full = tuple(
            x for name in ("osd", "mgr", "mds") for x in ("--cap", name, "allow *")
        )
        keys: tuple[tuple[str, ...], ...] = (
            ("mon.", "--cap", "mon", "allow *"),
            ("client.admin", "--cap", "mon", "allow *", *full),
            ("osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"),
            ("mds.a", "--cap", "mon", "allow profile mds", "--cap", "osd", "allow rwx"),
            ("client.rgw", "--cap", "mon", "allow rw", "--cap", "osd", "allow rwx"),
        )
        ring = str(self.home / "keyring")
        for index, (name, *caps) in enumerate(keys):
            create = ("--create-keyring",) if not index else ()
            command = ("ceph-authtool", ring, *create, "--gen-key", "-n", name, *caps)
            subprocess.run(command, check=True, capture_output=True, timeout=60)

    def _start_monitor(self, fsid: str, port: int) -> None:
        chart = str(self.home / "monmap")
        address = f"[v2:127.0.0.1:{port}/0]"
        command = ("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address)
        subprocess.run((*command, chart), check=True, capture_output=True, timeout=60)
        ring = str(self.home / "keyring")
        self._do(
            *("ceph-mon", "-i", "a", "--mkfs", "--monmap", chart, "--keyring", ring)
        )
        self._run("ceph-mon", "-i", "a", "-f")

    def _do(self, program: str, *args: str) -> str:
        """Run a command of Ceph; give what it says."""
        done = subprocess.run(
            (program, "-c", str(self.home / "ceph.conf"), *args),
            capture_output=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace")

    def _run(self, program: str, *args: str) -> subprocess.Popen[bytes]:
        config = ("-c", str(self.home / "ceph.conf"))
        return self._spawn(program, program, *config, *args)


_shared: list[Ceph] = []


def shared_ceph() -> Ceph:
    """Give the one of this process, which ends with it; start it if need be."""
    if not has_ceph():
        require(*_PROGRAMS)
    if not _shared:
        _shared.append(Ceph.start().stop_at_exit())
    return _shared[0]
