"""Trees of Debian, and the packages that are built in one."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from tests.installed.shell import Failed, run

TOP = Path(__file__).parents[2]
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

#: Say how the network outside is reached.
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL")

#: The version to which is upgraded.
HIGHER = "9.0"

#: In a tree.
PACKAGES = "/root/packages"


class Trees:
    """All trees of one release, below one directory."""

    def __init__(self, place: Path, release: str) -> None:
        self.place, self.release = place, release
        self.packages = place / "packages"

    def base(self) -> Path:
        """Give a tree with systemd and nothing else of note; it is kept."""
        base, half = self.place / "base", self.place / "base.half"
        if not base.exists():
            shutil.rmtree(half, ignore_errors=True)
            include = "--include=systemd,systemd-sysv,dbus,ca-certificates"
            run("debootstrap", "--variant=minbase", include, self.release, half)
            half.rename(base)
        return base

    def fresh(self, name: str) -> Path:
        """Copy the base, over what an earlier run left."""
        tree = self.place / name
        base = self.base()
        self.discard(name)
        run("cp", "-a", "--reflink=auto", base, tree)
        return tree

    def discard(self, name: str) -> None:
        """Delete a tree."""
        run("rm", "-rf", "--one-file-system", self.place / name)

    def build(self) -> None:
        """Build in a fresh tree, as from a fresh clone, and keep the packages.

        Three times: the package, the same in another directory, and a higher version.

        :raise Failed: the first two differ.
        """
        tree = self.fresh("build")
        inside(tree, "apt-get", "update", "-q")
        install = ("apt-get", "install", "-q", "-y", "--no-install-recommends")
        inside(tree, *install, "git", "make")
        copy_checkout(tree / "root" / "clone")
        shutil.copytree(tree / "root/clone", tree / "srv/another/place", symlinks=True)
        inside(tree, "make", "-C", "/root/clone", "deb")
        inside(tree, "/srv/another/place/scripts/deb")
        higher = f"DEB_VERSION={HIGHER}"
        inside(tree, "env", higher, "/root/clone/scripts/deb", "/root/higher")
        shutil.rmtree(self.packages, ignore_errors=True)
        self.packages.mkdir()
        (first,) = (tree / "root/clone/dist").glob("*.deb")
        (again,) = (tree / "srv/another/place/dist").glob("*.deb")
        (above,) = (tree / "root/higher").glob("*.deb")
        if digest(first) != digest(again):
            for package, name in ((first, "first.deb"), (again, "again.deb")):
                shutil.copy(package, self.packages / name)
            raise Failed("two builds differ: see first.deb and again.deb")
        shutil.copy(first, self.packages / "txregistry.deb")
        shutil.copy(above, self.packages / "higher.deb")
        self.discard("build")

    def prepare(self) -> Path:
        """Give a tree to boot, with the packages and what they depend on."""
        tree = self.fresh("machine")
        shutil.copytree(self.packages, tree / PACKAGES.lstrip("/"))
        inside(tree, "apt-get", "update", "-q")
        download = ("apt-get", "install", "-q", "-y", "--download-only")
        more = ("curl", "docker-registry")
        inside(tree, *download, f"{PACKAGES}/txregistry.deb", *more)
        shutil.copy(TOP / "debian/tests/smoke", tree / "root")
        return tree


def inside(tree: Path, *command: str) -> str:
    """Run a command in a tree, with the network of this machine."""
    variables = [
        f"--setenv={name}={os.environ[name]}"
        for lower in VARIABLES
        for name in {lower, lower.upper()}
        if name in os.environ
    ]
    return run(
        *("systemd-nspawn", "-q", "-D", tree, "--register=no", "--keep-unit"),
        *("--resolv-conf=replace-host", "--pipe", "--setenv=LC_ALL=C.UTF-8"),
        *("--setenv=DEBIAN_FRONTEND=noninteractive", *variables),
        f"--setenv=PIP_CERT={AUTHORITIES}",
        # Those whom this machine trusts, as for a proxy that it is behind.
        f"--bind-ro={AUTHORITIES}",
        "--",
        *command,
    )


def copy_checkout(place: Path) -> None:
    """Copy the checkout as it stands, as a repository of its own."""
    place.mkdir(parents=True)
    listed = "git ls-files -z --cached --others --exclude-standard"
    pack = "tar --create --null --files-from=- --ignore-failed-read"
    run("sh", "-c", f"{listed} | {pack} | tar --extract -C {place}", cwd=TOP)
    run("git", "init", "-q", place)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
