"""Several processes on CephFS, each at a client of its own; ``make cephfs-test``."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.integration import test_shared
from tests.integration.cephfs import CephFs, shared_cephfs

_mounts: dict[str, Path] = {}


def mount_of(name: str, store: CephFs) -> Path:
    """Give where one process has the file system; it stays there for all tests."""
    if name not in _mounts:
        _mounts[name] = store.mount(name)
    return _mounts[name]


class CephFsCase(test_shared.SharedCase):
    """Two of ours on one port, as on two machines."""

    def make_root(self) -> Path:
        self.store, self.own = shared_cephfs(), secrets.token_hex(4)
        return self.root_of("beside")

    def root_of(self, name: str) -> Path:
        return mount_of(name, self.store) / self.own


class RegistryTests(CephFsCase, test_shared.RegistryTests):
    """What one does the other sees at once, and so does Docker's registry."""


class ClosedTests(CephFsCase, test_shared.ClosedTests):
    """What is refused while others may use the directory."""


class CacheTests(CephFsCase, test_shared.CacheTests):
    """Two caches in front of one upstream."""


class RaceTests(CephFsCase, test_shared.RaceTests):
    """Two requests for one upload at once, at both processes."""
