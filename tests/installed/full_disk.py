"""The disk of the service is full: what can be had all the same, and what is told."""

from __future__ import annotations

from tests.installed.images import MIB, Images, sha256
from tests.installed.machine import Machine
from tests.installed.shell import check, until

STATE = "/var/lib/txregistry"
CONFIG = "/etc/txregistry/config.yml"

#: Of the file system that is filled.
SMALL = 64 * MIB

UNITS = "txregistry.socket txregistry.service"


class FullDisk:
    """A small state directory that is filled, and gets room again."""

    def __init__(self, machine: Machine, images: Images) -> None:
        self.machine, self.images = machine, images

    def run(self) -> str:
        """Go through it; give a line about how it went."""
        sh = self.machine.sh
        sh(f"systemctl stop {UNITS}")
        sh(f"mount -t tmpfs -o size={SMALL},mode=0750 tmpfs {STATE}")
        sh(f"chown txregistry: {STATE}; systemctl start {UNITS}")
        self.images.pull("small")
        sh(f"head -c {SMALL} /dev/zero > {STATE}/filler || true")
        told = self._passed_through()
        self._refused()
        self.images.pull("small")
        check(self.machine.show("ActiveState") == "active", "it ended")
        sh(f"rm {STATE}/filler")
        until("it caches again", self._caches)
        sh(f"systemctl stop {UNITS}; umount {STATE}; systemctl start {UNITS}")
        return told

    def _passed_through(self) -> str:
        """Ask for what there is no room for: it comes whole from the upstream."""
        taken = self.images.place / "passed"
        status = self.images.curl(
            self.images.blob("large"), "-o", str(taken), "-w", "%{http_code}"
        )
        check(status == "200", f"it says: {status}")
        digest = sha256(taken.read_bytes())
        check(digest == self.images.layers["large"], "it is damaged")
        lines = self.machine.journal("-o", "cat", "-n", "200").splitlines()
        said = [line for line in lines if "No space left" in line]
        check(said, "the log does not tell why")
        return f"passed through, and the log: {said[-1]!r}; 503 where it is refused"

    def _refused(self) -> None:
        """Ask for the same where that is to be refused."""
        sh = self.machine.sh
        section = r"\ncache: {onfull: refuse}\n"
        sh(f"cp -p {CONFIG} /root/right; printf '{section}' >> {CONFIG}")
        sh("systemctl reload txregistry")
        told = self.images.curl(self.images.blob("large"), "-w", " %{http_code}")
        is_refused = "UNAVAILABLE" in told and told.endswith(" 503")
        check(is_refused, f"it says: {told[-200:]!r}")
        sh(f"cp -p /root/right {CONFIG}; systemctl reload txregistry")

    def _caches(self) -> bool:
        path = self.images.blob("medium")
        self.images.curl(path, "-o", "/dev/null")
        told = self.images.curl(path, "-o", "/dev/null", "-D", "-")
        return "200" in told.splitlines()[0] and "; hit" in told
