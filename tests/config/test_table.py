"""The table of keys: complete, and true of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_config import MINIMAL
from txregistry.assembly.ownpaths import own_path
from txregistry.assembly.storage import DISK_THREADS
from txregistry.config.access import CONTROLLERS
from txregistry.config.fields import kind_of
from txregistry.config.files import Files, FileText
from txregistry.config.middleware import SHIPPED
from txregistry.config.model import Config
from txregistry.config.read import read, read_config
from txregistry.config.reader import Reader, join
from txregistry.config.show import effective
from txregistry.config.storage import DRIVERS, Filesystem, Storage
from txregistry.config.table import (
    ANYTHING,
    REQUIRED,
    Key,
    find_key,
    keys,
    near,
    restart_of,
)
from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.filesystem.driver import filesystem

ROWS = {row.path: row for row in keys()}

#: What can stand where a key is required.
GIVEN = {
    "version": "0.1",
    "auth.htpasswd.path": "/x",
    "health.tcp[].addr": "a.example:1",
}


def sample(row: Key) -> object:
    """Give a value that a key takes, which is its default where it has one."""
    if row.default == REQUIRED:
        return GIVEN.get(row.path, "http://a.example:1/")
    return row.default


def put(mapping: dict[str, Any], path: str, value: object) -> None:
    """Put a value in its place; a list has one item."""
    here: Any = mapping
    *outer, last = path.split(".")
    for name in outer:
        step = name.removesuffix("[]")
        if here.get(step) is None:
            here[step] = [{}] if "[]" in name else {}
        here = here[step][0] if "[]" in name else here[step]
    here[last] = value


def everything(driver: str, controller: str) -> dict[str, Any]:
    """Give a mapping with all keys that can stand beside a driver and a controller."""
    mapping: dict[str, Any] = {}
    others = [f"storage.{name}" for name in DRIVERS if name != driver]
    others += [f"auth.{name}" for name in CONTROLLERS if name != controller]
    for row in keys():
        if row.is_section or row.twin_of:
            continue
        if not row.path.startswith(tuple(f"{other}." for other in others)):
            put(mapping, row.path, sample(row))
    mapping["storage"].setdefault(driver, {})
    return mapping


class Recorder(Reader):
    """Remembers which keys it was asked to read."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def section(self, cls: type[Any], value: object, path: str) -> Any:
        for name in attrs.fields_dict(cls):
            if cls is not Storage or name not in ("driver", "parameters"):
                self.asked.add(join(path.replace("[0]", "[]"), name))
        return super().section(cls, value, path)


class CompleteTests(SynchronousTestCase):
    """What is read is in the table, and the other way round."""

    def test_both_ways(self) -> None:
        """The keys that the reader asks for are those of the table."""
        asked = set()
        for controller in CONTROLLERS:
            for driver in DRIVERS:
                recorder = Recorder()
                mapping = everything(driver, controller)
                # A section in which all is empty is not looked at any further.
                put(mapping, "policy.repository.classes", ["image"])
                for name in SHIPPED:
                    put(mapping, "middleware.storage[].name", name)
                    recorder.section(Config, mapping, "")
                asked |= recorder.asked
        offered = {f"storage.{name}" for name in DRIVERS}
        offered |= {f"auth.{name}" for name in CONTROLLERS}
        twins = {row.path for row in keys() if row.twin_of}
        self.assertEqual(asked, ROWS.keys() - offered - twins)

    def test_read_without_a_word(self) -> None:
        """A file with each key, at its default, means what an empty one does."""
        for controller, driver in (("token", "filesystem"), ("silly", "inmemory")):
            mapping = everything(driver, controller)
            del mapping["notifications"]["endpoints"], mapping["health"]
            del mapping["middleware"]
            del mapping["validation"]["manifests"]["indexes"]["platformlist"]
            mapping["auth"] = {}
            reading = read(mapping)
            self.assertEqual((reading.problems, reading.warnings), ([], []))
            plain, _ = read_config({"version": "0.1", "storage": driver})
            storage = attrs.evolve(plain.storage, parameters=mapping["storage"][driver])
            self.assertEqual(reading.config, attrs.evolve(plain, storage=storage))

    def test_defaults(self) -> None:
        """The default of the table is what is in force without the key."""
        shown = effective(read_config(MINIMAL)[0])
        for row in keys():
            if row.is_section or row.twin_of or "[]" in row.path:
                continue
            if row.path.startswith(("auth.", "storage.filesystem.", "storage.s3.")):
                continue
            found: Any = shown
            for name in row.path.split("."):
                found = found.get(name) if isinstance(found, Mapping) else found
            if row.default == REQUIRED:
                self.assertEqual(row.path, "version")
            elif row.kind == "duration" and row.default is not None:
                again, _ = read_config({**MINIMAL, "proxy": {"ttl": row.default}})
                self.assertEqual(effective(again)["proxy"]["ttl"], found, row.path)
            else:
                self.assertEqual(found, row.default, row.path)

    def test_defaults_of_makers(self) -> None:
        """What drivers and controllers do without a parameter is what is declared."""
        driver: Any = filesystem({}, InlineDisk(), Clock())
        default = Filesystem()
        self.assertEqual(driver._root, default.rootdirectory)
        self.assertEqual(
            own_path(read_config({"version": "0.1", "storage": "filesystem"})[0], "x"),
            f"{default.rootdirectory}/txregistry/x",
        )
        self.assertEqual(DISK_THREADS, default.maxthreads)

    def test_twins(self) -> None:
        """Each key that may be in a file has its twin, which fills it in."""
        for row in keys():
            is_fileable = f"{row.path}file" in ROWS and not row.twin_of
            self.assertEqual(is_fileable, row.known.in_file, row.path)
            if row.twin_of:
                driver = "s3" if row.path.startswith("storage.s3.") else "filesystem"
                mapping = everything(driver, "silly")
                base = row.twin_of
                named = "/f" if row.kind == "text" else {"X": "/f"}
                put(mapping, base, "" if row.kind == "text" else {})
                put(mapping, row.path, named)
                files = Files(lambda path: FileText(f"http://a{path}\n"), {})
                filled = files.fill(mapping)
                reading = read(filled.mapping)
                self.assertEqual(filled.problems + reading.problems, [], row.path)
                unknown = [w for w in reading.warnings if "not a known key" in w]
                self.assertEqual(unknown + filled.warnings, [], row.path)

    def test_secrets_may_be_in_files(self) -> None:
        """There is no secret that has to stand in the configuration."""
        for row in keys():
            if row.known.is_secret:
                self.assertIn(f"{row.path}file", ROWS)
        words = ("password", "secret")
        named = {row.path for row in keys() if row.path.endswith(words)}
        self.assertEqual({p for p in named if not ROWS[p].known.is_secret}, set())


class RowTests(SynchronousTestCase):
    """What stands in a row."""

    def test_said(self) -> None:
        """Each key has a sentence, and a release or our name."""
        for row in keys():
            self.assertRegex(row.doc, r"\.$", row.path)
            self.assertRegex(row.known.since, r"^(2|3)\.\d(\.\d)?$|^txregistry$")
            self.assertRegex(row.known.until or "3.0", r"^(2|3)\.\d$", row.path)
            self.assertNotIn("  ", row.doc, row.path)

    def test_older_names(self) -> None:
        """What took the place of a key is a key."""
        for row in keys():
            self.assertIn(row.known.newer or "version", ROWS)

    def test_choices(self) -> None:
        """A default is one of the choices."""
        for row in keys():
            if row.known.choices and row.kind == "text" and row.default != REQUIRED:
                default = row.default or row.known.choices[0]
                self.assertIn(default, row.known.choices, row.path)

    def test_kinds(self) -> None:
        """The kind of a default is that of the key."""
        kinds = {"text": "text", "true or false": "true or false"}
        kinds |= {"whole number": "a number", "duration": "text", "size": "text"}
        for row in keys():
            if row.default not in (None, REQUIRED) and row.kind != ANYTHING:
                expected = kinds.get(row.kind) or f"a {row.kind.partition(' ')[0]}"
                self.assertEqual(kind_of(row.default), expected, row.path)

    def test_restart(self) -> None:
        """A section decides for what is in it, unless that says otherwise."""
        for path, is_live in (
            ("http.addr", False),
            ("http.limits.streams", True),
            ("http.debug.prometheus.path", False),
            ("storage.filesystem.rootdirectory", False),
            ("storage.delete.enabled", True),
            ("redis.passwordfile", False),
            ("proxy.passwordfile", True),
            ("notifications.endpoints[].ignore.actions", True),
            ("notifications.endpoints[].name", False),
        ):
            self.assertEqual(not ROWS[path].restart, is_live, path)

    def test_restart_of_parameters(self) -> None:
        """For what no model declares the section decides."""
        self.assertTrue(restart_of("storage.s3.bucket"))
        self.assertTrue(restart_of("storage.filesystem.rootdirectory"))
        for live in ("auth.ldap.url.base", "storage.delete", "proxy.ttl", "nosuch.key"):
            self.assertEqual(restart_of(live), "", live)


class FindTests(SynchronousTestCase):
    """Finding a key by what somebody calls it."""

    def test_found(self) -> None:
        """By its path, with positions or without, by its variable, or as a mapping."""
        for name, path in (
            ("proxy.ttl", "proxy.ttl"),
            ("PROXY.TTL", "proxy.ttl"),
            ("proxy", "proxy"),
            ("REGISTRY_PROXY_TTL", "proxy.ttl"),
            ("REGISTRY_PROXY_PASSWORD_FILE", "proxy.password"),
            ("REGISTRY_PROXY_PASSWORDFILE", "proxy.passwordfile"),
            ("health.http[3].uri", "health.http[].uri"),
            ("health.http[].uri", "health.http[].uri"),
            ("health.http.3.uri", "health.http[].uri"),
            ("REGISTRY_HEALTH_HTTP_0_URI", "health.http[].uri"),
            ("http.headers.X-Frame-Options", "http.headers"),
            ("log.fields.a.b", "log.fields"),
            ("middleware.storage[0].options.other", "middleware.storage[].options"),
        ):
            found = find_key(name)
            self.assertEqual(found and found.path, path, name)

    def test_not_found(self) -> None:
        """What is no key is none, and what was meant comes first."""
        for name, meant in (
            ("proxy.tagtl", "proxy.tagttl"),
            ("tagttl", "proxy.tagttl"),
            ("http.heders", "http.headers"),
            ("proxy.ttl.seconds", "proxy.ttl"),
            ("REGISTRY_PROXY_TTTL", "proxy.ttl"),
            ("storage.filesystem.rootdir", "storage.filesystem.rootdirectory"),
        ):
            self.assertIsNone(find_key(name), name)
            self.assertEqual(near(name)[0], meant)
        self.assertEqual(near("zzz"), [])
        self.assertIsNone(find_key(""))
