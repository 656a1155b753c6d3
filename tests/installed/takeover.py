"""Taking over from Debian's docker-registry, and a purge that finds what that wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.installed.images import Images
from tests.installed.machine import Machine
from tests.installed.shell import check, until
from tests.installed.steps import APT, left
from tests.installed.trees import PACKAGES

OLD = "docker-registry"

CONFIG = """\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: "127.0.0.1:5000"}
"""

#: Files that an administrator has put where a takeover writes.
MINE = (
    "/etc/default/txregistry",
    "/etc/systemd/system/txregistry.service.d/mine.conf",
    "/etc/txregistry/htpasswd",
)

#: What has our name and stays: that, and what ours keeps in a storage that is not ours.
STAYS = {
    "/etc/default/txregistry",
    "/etc/systemd/system/txregistry.service.d",
    "/etc/txregistry",
    "/var/lib/docker-registry/txregistry",
}


class Takeover:
    """The steps, on a machine without our package."""

    def __init__(self, machine: Machine, images: Images) -> None:
        self.machine, self.images = machine, images

    def all(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Give the steps with their names."""
        yield "take over", self.adopt
        yield "purge after that", self.purge

    def adopt(self) -> str:
        """Install beside the old one, which has the port, and take over."""
        self.machine.sh(f"{APT} install {OLD}")
        self._write("/etc/docker/registry/config.yml", CONFIG)
        self.machine.run("systemctl", "restart", OLD)
        until("the old one answers", self._answers)
        self.machine.sh(f"{APT} install {PACKAGES}/higher.deb")
        self.machine.sh("mkdir -p /etc/systemd/system/txregistry.service.d")
        for path in MINE:
            self._write(path, "# mine\n")
        self.machine.run("txregistry", "adopt", "--apply")
        check(self._answers() and self._is_ours(), "ours does not answer")
        user = self.machine.show("User")
        check(user == OLD, f"it runs as {user}")
        return f"ours runs as {user}"

    def purge(self) -> str:
        """Purge: of ours nothing is left, and the old one can be started."""
        told = self.machine.sh(f"{APT} purge txregistry")
        check(f"systemctl enable --now {OLD}" in told, "the old one is not named")
        found = set(left(self.machine))
        check(found == STAYS, f"left behind: {found}")
        mine = self.machine.run("cat", *MINE)
        check(mine == "# mine\n" * len(MINE), f"files of others have: {mine}")
        self.machine.run("systemctl", "enable", "--now", OLD)
        until("the old one answers", self._answers)
        check(not self._is_ours(), "ours answers still")
        return "nothing of ours left, files of others as they were"

    def _write(self, path: str, text: str) -> None:
        self.machine.sh(f"cat > {path} <<'END'\n{text}END\n")

    def _answers(self) -> bool:
        return self.images.curl("/v2/") == "{}"

    def _is_ours(self) -> bool:
        return "twistedweb" in self.images.curl("/v2/", "-i").lower()
