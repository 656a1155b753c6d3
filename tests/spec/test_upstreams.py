"""Which upstream a request is for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import Denied, NameInvalid, NameUnknown
from txregistry.spec.globs import Glob
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import (
    DEFAULT,
    HUB,
    HUB_HOSTS,
    Named,
    UpstreamNames,
    UpstreamTable,
)

HUB_NAMES = UpstreamNames(DEFAULT, (HUB, *sorted(HUB_HOSTS)))
GHCR = UpstreamNames("ghcr.io", ("ghcr.io",))
CORP = UpstreamNames("corp", ("registry.corp.example:5000", "corp"))
TABLE = UpstreamTable(
    HUB_NAMES, {"ghcr.io": GHCR, "corp": CORP}, (Glob.parse("team/**"),)
)


def name(text: str) -> RepositoryName:
    return RepositoryName.parse(text)


def globs(*texts: str) -> tuple[Glob, ...]:
    return tuple(map(Glob.parse, texts))


class FindTests(SynchronousTestCase):
    """By ``ns=``, by path, or the default one."""

    def found(self, path: str, namespace: str | None = None) -> tuple[str, str]:
        named = TABLE.find(namespace, name(path))
        return str(named.name), named.host

    def test_by_path(self) -> None:
        """The first component, whatever it is called; else the default one."""
        corp = "registry.corp.example:5000"
        for path, expected in (
            ("ghcr.io/org/app", ("ghcr.io/org/app", "ghcr.io")),
            ("ghcr.io/app", ("ghcr.io/app", "ghcr.io")),
            ("corp/app", ("corp/app", corp)),
            (f"{corp}/a/b", ("corp/a/b", corp)),
            ("Registry.Corp.Example:5000/a", ("corp/a", corp)),
            ("org/app", ("org/app", HUB)),
            ("alpine", ("library/alpine", HUB)),
            ("docker.io/alpine", ("library/alpine", HUB)),
            ("docker.io/org/app", ("org/app", HUB)),
            ("index.docker.io/library/alpine", ("library/alpine", HUB)),
        ):
            self.assertEqual(self.found(path), expected, path)

    def test_by_namespace(self) -> None:
        """Both ways lead to the same name, and the client's word is confirmed."""
        for namespace, path, stored in (
            ("ghcr.io", "org/app", "ghcr.io/org/app"),
            ("GHCR.io", "app", "ghcr.io/app"),
            ("registry.corp.example:5000", "a", "corp/a"),
            ("docker.io", "library/alpine", "library/alpine"),
            ("registry-1.docker.io", "alpine", "library/alpine"),
            ("ghcr.io", "ghcr.io/a", "ghcr.io/ghcr.io/a"),
        ):
            found = self.found(path, namespace)
            self.assertEqual(found, (stored, namespace), path)

    def test_unknown(self) -> None:
        """Who is not listed is never asked; the reason says so."""
        for namespace, path, reason in (
            ("quay.io", "org/app", "no upstream is configured for quay.io"),
            (None, "quay.io/org/app", "no upstream is configured for quay.io"),
            (None, "localhost:5000/app", "configured for localhost:5000"),
            ("a b", "org/app", "no upstream is configured for a b"),
        ):
            error = self.assertRaises(NameUnknown, TABLE.find, namespace, name(path))
            self.assertIn(reason, error.detail["reason"])

    def test_never_mixed_up(self) -> None:
        """A name of the default upstream that another one has here is no name."""
        for namespace, path in (
            ("docker.io", "ghcr.io/org/app"),
            ("docker.io", "corp/app"),
            ("docker.io", "team/app"),
            (None, "docker.io/corp/app"),
            (None, "docker.io/team/app"),
        ):
            error = self.assertRaises(NameUnknown, TABLE.find, namespace, name(path))
            self.assertIn("has this name here", error.detail["reason"])

    def test_local(self) -> None:
        """No upstream has it, and clients may change it."""
        named = TABLE.find(None, name("team/app"))
        self.assertEqual(named, Named(name("team/app")))
        self.assertFalse(named.is_cached)
        self.assertTrue(TABLE.find(None, name("teams/app")).is_cached)
        self.assertIsNone(TABLE.upstream_of(name("team/app")))

    def test_local_within_an_upstream(self) -> None:
        """What is local is so under the key of an upstream as well."""
        table = UpstreamTable(None, {"corp": CORP}, globs("corp/ours/*"))
        self.assertFalse(table.find(None, name("corp/ours/a")).is_cached)
        self.assertRaises(NameUnknown, table.find, "corp", name("ours/a"))

    def test_one_upstream(self) -> None:
        """Clients may call the only one as they like, as ever."""
        table = UpstreamTable(UpstreamNames(DEFAULT, ("mirror.example",)))
        for namespace in ("docker.io", "mirror.example", "anything"):
            named = table.find(namespace, name("alpine"))
            self.assertEqual(named, Named(name("alpine"), namespace))
        named = table.find(None, name("my.host/app"))
        self.assertEqual(named, Named(name("my.host/app"), "mirror.example"))

    def test_no_default(self) -> None:
        """Without one, a name has to say whose it is."""
        table = UpstreamTable(None, {"ghcr.io": GHCR})
        self.assertEqual(str(table.find(None, name("ghcr.io/a")).name), "ghcr.io/a")
        for path in ("org/app", "app", "ghcr.io"):
            self.assertRaises(NameUnknown, table.find, None, name(path))
        self.assertIsNone(table.upstream_of(name("org/app")))

    def test_registry(self) -> None:
        """Everything is local where there is no upstream."""
        table = UpstreamTable()
        for namespace in (None, "docker.io"):
            named = table.find(namespace, name("ghcr.io/a"))
            self.assertEqual(named, Named(name("ghcr.io/a")))
        self.assertTrue(table.is_local(name("a")))

    def test_no_name_here(self) -> None:
        """A name that is none once it has its key is refused."""
        for text in ("h:5000/a", f"{'a' * 200}/{'b' * 200}"):
            self.assertRaises(NameInvalid, CORP.stored, name(text))


class NamesTests(SynchronousTestCase):
    """One upstream."""

    def test_there_and_back(self) -> None:
        """What it is called here and there."""
        for names, there, here in (
            (GHCR, "a/b", "ghcr.io/a/b"),
            (HUB_NAMES, "library/a", "library/a"),
            (CORP, "corp/a", "corp/corp/a"),
        ):
            self.assertEqual(str(names.stored(name(there))), here)
            self.assertEqual(str(names.at_upstream(name(here))), there)

    def test_hub(self) -> None:
        """Images of one component belong to ``library`` at Docker Hub alone."""
        keyed = UpstreamNames("docker.io", ("docker.io",))
        self.assertEqual(str(keyed.stored(name("a"))), "docker.io/library/a")
        self.assertEqual(str(GHCR.stored(name("a"))), "ghcr.io/a")

    def test_rules(self) -> None:
        """What is denied wins; the rule is told."""
        names = UpstreamNames("k", ("k",), globs("a/*", "b"), globs("a/secret"))
        for passing in ("a/b", "b"):
            names.check(name(passing))
        for refused, rule in (
            ("a/secret", "proxy.upstreams.k.deny: a/secret"),
            ("c", "proxy.upstreams.k.allow: none matches"),
        ):
            error = self.assertRaises(Denied, names.check, name(refused))
            self.assertEqual(error.detail, {"name": refused, "rule": rule})
        default = UpstreamNames(DEFAULT, ("h",), deny=globs("**"))
        error = self.assertRaises(Denied, default.check, name("a"))
        self.assertEqual(error.detail["rule"], "proxy.deny: **")


class CalledTests(SynchronousTestCase):
    """What clients call a stored repository."""

    def called(self, stored: str) -> list[str]:
        return list(TABLE.called(name(stored)))

    def test_hub(self) -> None:
        """An official image of Docker Hub has its short name as well."""
        called = self.called("library/alpine")
        self.assertEqual(called[0], "library/alpine")
        for expected in ("docker.io/library/alpine", "docker.io/alpine", "alpine"):
            self.assertIn(expected, called)
        self.assertNotIn("alpine/git", self.called("alpine/git")[1:])

    def test_others(self) -> None:
        """One of another upstream is called by each of its hosts; a local one as is."""
        self.assertEqual(
            self.called("corp/base"),
            ["corp/base", "registry.corp.example:5000/base", "corp/base"],
        )
        self.assertEqual(self.called("team/app"), ["team/app"])


class AmbiguousTests(SynchronousTestCase):
    """Hosts that several upstreams have, or none."""

    def test_two_accounts(self) -> None:
        """A host of two is the name of none of them, unless one lists it."""
        one = UpstreamNames("one", ("r.example", "one"), listed=("one",))
        two = UpstreamNames("two", ("r.example", "two"), listed=("two",))
        table = UpstreamTable(None, {"one": one, "two": two})
        self.assertRaises(NameUnknown, table.find, "r.example", name("a"))
        self.assertEqual(table.find("two", name("a")).name.text, "two/a")
        listing = UpstreamNames("one", ("r.example", "one"), listed=("r.example",))
        table = UpstreamTable(None, {"one": listing, "two": two})
        self.assertEqual(table.find("r.example", name("a")).name.text, "one/a")

    def test_only_hub(self) -> None:
        """Docker Hub alone is not taken for another registry; another one may be."""
        table = UpstreamTable(HUB_NAMES)
        self.assertEqual(table.find("docker.io", name("a")).name.text, "library/a")
        self.assertRaises(NameUnknown, table.find, "ghcr.io", name("org/app"))
        table = UpstreamTable(UpstreamNames(DEFAULT, ("mirror.example",)))
        named = table.find("docker.io", name("org/app"))
        self.assertEqual((named.name.text, named.host), ("org/app", "docker.io"))
