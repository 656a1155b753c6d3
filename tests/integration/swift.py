"""OpenStack Swift with s3api, on loopback: a second real object store for the tests.

One device in a directory, one server of each kind, and a proxy that checks signatures.
A listing is what the container's database has, as in every Swift.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import attrs
from twisted.trial.unittest import SkipTest

from tests.integration.store import ObjectStore
from tests.integration.support import free_port, listens, require

_KINDS = ("account", "container", "object")
_PROGRAMS = (
    *("memcached", "swift-ring-builder", "swift-proxy-server"),
    *(f"swift-{kind}-server" for kind in _KINDS),
)

_COMMON = """\
[DEFAULT]
swift_dir = {home}
devices = {home}/devices
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
workers = 0
fallocate_reserve = 0
disable_fallocate = true
"""

_SERVER = """\
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

_PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk\
 tempurl s3api tempauth copy slo dlo versioned_writes proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:s3api]
use = egg:swift#s3api
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
"""

_FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk"),
    *("tempurl", "copy", "slo", "dlo", "versioned_writes"),
)

_HASH = """\
[swift-hash]
swift_hash_path_suffix = suffix
swift_hash_path_prefix = prefix
[storage-policy:0]
name = one
default = yes
"""


def _filters() -> str:
    plain = (f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in _FILTERS)
    return "".join(plain) + "[filter:proxy-logging]\nuse = egg:swift#proxy_logging\n"


@attrs.define(eq=False)
class Swift(ObjectStore):
    """A proxy that runs until :meth:`stop`."""

    region = "us-east-1"
    access_key, secret_key = "test:tester", "testing"
    #: A question without a signature is none for s3api, and Swift has nothing there.
    status = 404

    @classmethod
    def start(cls) -> Swift:
        """Start one, and wait until it answers."""
        home = Path(tempfile.mkdtemp(prefix="swift", dir="/tmp"))
        return cls(home, free_port()).begin()

    def _start(self) -> None:
        (self.home / "devices/one").mkdir(parents=True)
        (self.home / "swift.conf").write_text(_HASH)
        memcached, user = free_port(), getpass.getuser()
        address = ("-l", "127.0.0.1", "-p", str(memcached), "-U", "0")
        self._spawn("memcached", "memcached", "-u", user, *address)
        ports = {kind: free_port() for kind in _KINDS}
        for kind, port in ports.items():
            self._make_ring(kind, port)
            self._serve(kind, port, _SERVER.format(kind=kind))
        proxy = _PROXY.format(memcached=memcached, secret=self.secret_key)
        process = self._serve("proxy", self.port, proxy + _filters())
        self._wait(lambda: all(map(listens, [memcached, *ports.values()])))
        self._wait(lambda: process.poll() is None and self._answers())

    def _make_ring(self, kind: str, port: int) -> None:
        device = f"r1z1-127.0.0.1:{port}/one"
        for command in (
            ("create", "6", "1", "1"),
            ("add", device, "1"),
            ("rebalance",),
        ):
            argv = ("swift-ring-builder", str(self.home / f"{kind}.builder"), *command)
            done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
            if done.returncode:
                raise RuntimeError(f"{argv}: {done.stdout!r} {done.stderr!r}")

    def _serve(self, kind: str, port: int, config: str) -> subprocess.Popen[bytes]:
        common = _COMMON.format(home=self.home, port=port, user=getpass.getuser())
        path = self.home / f"{kind}-server.conf"
        path.write_text(common + config)
        name = f"swift-{kind}-server"
        return self._spawn(name, name, str(path), "--verbose")


_shared: list[Swift] = []


def shared_swift() -> Swift:
    """Give the one of this process, which ends with it; start it if need be."""
    if not os.environ.get("TXREGISTRY_SWIFT"):
        raise SkipTest("set TXREGISTRY_SWIFT=1, or run make swift-test")
    if not all(shutil.which(name) for name in _PROGRAMS):
        require(*_PROGRAMS)
    if not _shared:
        _shared.append(Swift.start().stop_at_exit())
    return _shared[0]
