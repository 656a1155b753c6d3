"""What is told of a configuration that is wrong, and what counts as nothing said."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.yamltext import parse_yaml
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError, read_config

HEAD = "version: 0.1\nstorage: inmemory\n"

#: Words of Python, and of the insides of this program, that nobody is to read.
INSIDES = re.compile(
    r"Scalar|NoneType|\b(str|int|dict|tuple|bool|float|datetime)\b|NOTHING"
    r"|attrs|object at|parameters|Traceback|unicode string|codec|OrderedDict"
)


def read(text: str, head: str = HEAD) -> Config:
    """Read a file that has to be right."""
    return read_config(parse_yaml(head + text).value)[0]


def warnings(text: str) -> list[str]:
    """Give the warnings of a file that has to be right."""
    return read_config(parse_yaml(HEAD + text).value)[1]


def problems(text: str, head: str = HEAD) -> list[str]:
    """Give the problems of a file, or none."""
    try:
        read(text, head)
    except ConfigurationError as error:
        return error.problems
    return []


def paths(text: str, head: str = HEAD) -> list[str]:
    """Give the keys that the problems are about."""
    return [problem.partition(": ")[0] for problem in problems(text, head)]


class TogetherTests(SynchronousTestCase):
    """All problems at once, of whatever kind."""

    def test_types_and_values(self) -> None:
        """A value that is wrong is told beside another that has the wrong type."""
        found = problems("log: {level: loud}\nhttp: {addr: [1], net: udp}")
        self.assertEqual(
            sorted(found),
            [
                "http.addr: expected text, found a list",
                "http.net: expected tcp or unix, found 'udp'",
                "log.level: expected error or warn or info or debug, found 'loud'",
            ],
        )

    def test_what_is_missing(self) -> None:
        """What is missing hides neither wrong types nor wrong values."""
        found = paths(
            "log: {level: loud}\nauth: {htpasswd: {path: /x}}\n"
            "catalog: {maxentries: x}\nnotifications: {endpoints: [{name: a}, "
            "{name: b, url: nowhere}]}",
            head="",
        )
        self.assertEqual(
            sorted(found),
            [
                "auth.htpasswd.realm",
                "catalog.maxentries",
                "log.level",
                "notifications.endpoints[0].url",
                "notifications.endpoints[1].url",
                "storage",
                "version",
            ],
        )

    def test_nothing_is_told_twice(self) -> None:
        """What only follows from a problem that is told is not told as well."""
        for text, path in (
            ("http: {tls: {certificate: [x], key: /k}}", "http.tls.certificate"),
            ("proxy: {remoteurl: [x], maxconnections: 4}", "proxy.remoteurl"),
            ("notifications: {endpoints: [{}, 5, 6]}", "notifications.endpoints[1]"),
            ("http: 5", "http"),
        ):
            found = paths(text)
            self.assertEqual(found[0], path)
            self.assertEqual(len(found), len(set(found)), found)
            self.assertNotIn("http.tls", found)
        self.assertEqual(paths("", head="version: 0.1\nstorage: [x]\n"), ["storage"])

    def test_places_in_lists(self) -> None:
        """An item that has the wrong type does not shift the others."""
        suites = "http: {tls: {ciphersuites: [[], NONSENSE, 5]}}"
        self.assertEqual(
            paths(suites),
            [
                "http.tls.ciphersuites[0]",
                "http.tls.ciphersuites[1]",
                "http.tls.ciphersuites[2]",
            ],
        )

    def test_driver_beside_wrong_parameters(self) -> None:
        """Parameters that are no mapping are told once, by the name of the driver."""
        found = problems("", head="version: 0.1\nstorage: {filesystem: 7}\n")
        self.assertEqual(
            found, ["storage.filesystem: expected a mapping, found a number"]
        )

    def test_drivers_and_other_keys(self) -> None:
        """That there are two drivers hides nothing else of the section."""
        rest = "cache: {blobdescriptor: memcached}, delete: {enabled: maybe}"
        text = f"storage: {{filesystem: {{}}, s3: {{}}, {rest}}}\n"
        found = paths(text, "version: 0.1\n")
        expected = ["storage", "storage.cache.blobdescriptor", "storage.delete.enabled"]
        self.assertEqual(sorted(found), expected)


class WordsTests(SynchronousTestCase):
    """A message says what was found in the words of who wrote the file."""

    def test_kinds(self) -> None:
        """Each kind of value has a name of everyday life."""
        for value, words in (
            ("5", "a number"),
            ("1.5", "a number"),
            ("yes", "true or false"),
            ("some", "text"),
            ("[1]", "a list"),
            ("2024-01-01", "a value of another kind"),
        ):
            self.assertEqual(
                problems(f"http: {value}"),
                [f"http: expected a mapping, found {words}"],
            )
        for value in ("5", "yes", "2024-01-01"):
            self.assertEqual(read(f"http: {{host: {value}}}").http.host, value)
        (found,) = problems("http: {host: {a: b}}")
        self.assertEqual(found, "http.host: expected text, found a mapping")

    def test_durations(self) -> None:
        """A duration that is none is shown as it was written."""
        for value, shown in (
            ("a week", "'a week'"),
            ("-5", "-5"),
            ("1.5", "1.5"),
            ("1:30:00", "'1:30:00'"),
            ("yes", "true or false"),
            ("[1]", "a list"),
            ("2024-01-01", "a value of another kind"),
        ):
            (found,) = problems(f"proxy: {{ttl: {value}}}")
            self.assertTrue(found.startswith("proxy.ttl: expected a duration such as"))
            self.assertTrue(found.endswith(f", found {shown}"), found)

    def test_keys_are_told_as_they_were_written(self) -> None:
        """A key that YAML takes for a number or a truth is the text that it was."""
        (found,) = warnings("http: {0123: x}")
        self.assertTrue(found.startswith("http.0123: is not a known key"))
        self.assertEqual(
            read("log: {fields: {0x10: a, on: b, 1.50: c}}").log.fields,
            {"0x10": "a", "on": "b", "1.50": "c"},
        )
        (problem,) = problems("", head="version: 0.1\nstorage: {5: {}, 6: {}}\n")
        self.assertTrue(problem.endswith("found 5, 6"))

    def test_no_insides(self) -> None:
        """No value anywhere brings a word of Python to light."""
        values = ("5", "1.5", "yes", "2024-01-01", "[1, {2: 3}]", "{1: [2]}", "x", "''")
        places = _places(_leaf_paths())
        for place in places:
            for value in (*values, "~", "!!binary eA==", "!!set {a}"):
                for said in _said(place % value):
                    self.assertIsNone(INSIDES.search(said), f"{place % value}: {said}")


def _said(text: str) -> list[str]:
    head = "" if text.startswith(("version", "storage")) else HEAD
    head = head if not text.startswith("storage") else "version: 0.1\n"
    try:
        return read_config(parse_yaml(head + text).value)[1]
    except ConfigurationError as error:
        return error.problems


def _leaf_paths() -> list[tuple[str, ...]]:
    sections: dict[str, tuple[str, ...]] = {
        "log": ("level", "fields", "accesslog", "hooks", "reportcaller"),
        "http": ("addr", "headers", "draintimeout", "tls", "debug", "relativeurls"),
        "storage": ("filesystem", "cache", "delete", "maintenance", "tag"),
        "auth": ("htpasswd", "token", "silly", "none", "other"),
        "notifications": ("endpoints", "events", "queuelimit"),
        "proxy": ("remoteurl", "ttl", "exec", "trustedrealms", "maxstale"),
        "redis": ("addr", "addrs", "db", "tls", "pool"),
        "health": ("storagedriver", "file", "http", "tcp"),
        "validation": ("enabled", "manifests"),
        "version": (),
        "middleware": ("registry", "repository", "storage"),
    }
    return [
        *[(name,) for name in sections],
        *[(name, key) for name, keys in sections.items() for key in keys],
    ]


def _places(found: list[tuple[str, ...]]) -> list[str]:
    return [
        "".join(f"{{{key}: " if at else f"{key}: " for at, key in enumerate(path))
        + "%s"
        + "}" * (len(path) - 1)
        + "\n"
        for path in found
    ]


class EmptyTests(SynchronousTestCase):
    """Sections of nothing but empty values, as charts write them."""

    def same(self, text: str) -> None:
        self.assertEqual(read(text), read(""), text)
        self.assertEqual(warnings(text), [], text)

    def test_sections_of_empty_values(self) -> None:
        """A section in which nothing has a value is as good as none."""
        for text in (
            "http: {tls: {letsencrypt: {cachefile: '', email: '', hosts: []}}}",
            "http: {tls: {certificate: '', key: '', clientcas: [], clientauth: ''}}",
            "http: {tls: {minimumtls: '', ciphersuites: [], letsencrypt: {email: ''}}}",
            "http: {tls: }",
            "http: {debug: {addr: '', prometheus: {enabled: , path: ''}}, headers: }",
            "proxy: {remoteurl: '', username: '', password: '', ttl: ''}",
            "proxy: {exec: {command: '', lifetime: ''}, tls: {ca: ''}}",
            "redis: {addr: '', addrs: [], password: '', db: , dialtimeout: ''}",
            "redis: {pool: {maxidle: , idletimeout: ''}, tls: {rootcas: []}}",
            "auth: ",
            "auth: {}",
            "auth: ''",
            "notifications: {events: {includereferences: }, endpoints: []}",
            "log: {level: '', formatter: '', fields: {}, hooks: [], accesslog: }",
            "health: {storagedriver: {enabled: , interval: ''}, file: [], http: ''}",
            "middleware: {registry: [], repository: [], storage: [{name: ''}]}",
            "reporting: {bugsnag: {apikey: ''}, newrelic: {licensekey: '', name: ''}}",
            "validation: {manifests: {urls: {allow: [], deny: }, indexes: ''}}",
            "compatibility: {schema1: {signingkeyfile: '', trustkey: }}",
            "catalog: {maxentries: ''}",
            "tags: {maxtags: }",
            "policy: {repository: {classes: []}}",
            "loglevel: ''",
        ):
            self.same(text)

    def test_storage(self) -> None:
        """A driver that is named is one, and what stands beside it may be empty."""
        head = "version: 0.1\n"
        text = (
            "storage: {inmemory: , cache: {blobdescriptor: ''}, delete: {enabled: },"
            " tag: {concurrencylimit: }, redirect: ,"
            " maintenance: {uploadpurging: {enabled: , age: '', interval: ''}}}"
        )
        self.assertEqual(read(text, head), read(""))

    def test_single_keys(self) -> None:
        """A key of text without any has its default; so has any key with no value."""
        config = read(
            "http: {addr: '', net: '', draintimeout: , secret: x}\n"
            "log: {level: '', formatter: '', fields: {a: b}}"
        )
        self.assertEqual((config.http.addr, config.http.net), ("127.0.0.1:5000", "tcp"))
        self.assertEqual(config.http.draintimeout, 10.0)
        self.assertEqual((config.log.level, config.log.formatter), ("info", "text"))
        debug = read(
            "http: {debug: {addr: ':1', prometheus: {enabled: yes, path: ''}}}"
        )
        self.assertEqual(debug.http.debug.prometheus.path, "/metrics")

    def test_a_controller_that_is_named_is_one(self) -> None:
        """An access controller of empty values is refused: it never lets all in."""
        for text, path in (
            ("auth: htpasswd", "auth.htpasswd.realm"),
            ("auth: {htpasswd: }", "auth.htpasswd.realm"),
            ("auth: {htpasswd: {realm: '', path: ''}}", "auth.htpasswd.path"),
            ("auth: {htpasswd: {realm: , path: }}", "auth.htpasswd.realm"),
            ("auth: {silly: {realm: x}}", "auth.silly.service"),
            (
                "auth: {token: {realm: '', service: '', issuer: '', jwks: ''}}",
                "auth.token",
            ),
        ):
            self.assertEqual(paths(text)[:1], [path], text)

    def test_no_controller(self) -> None:
        """``none`` in any case is no controller."""
        for text in ("auth: none", "auth: {None: {}}", "auth: {none: }"):
            self.assertEqual(read(text).auth.controller, "")

    def test_lets_encrypt_that_is_meant(self) -> None:
        """What asks for certificates is refused, and told what to do instead."""
        for text in (
            "cachefile: /x",
            "email: a@b.example",
            "{cachefile: /x, hosts: []}",
        ):
            inner = text if text.startswith("{") else f"{{{text}}}"
            (found,) = problems(f"http: {{tls: {{letsencrypt: {inner}}}}}")
            self.assertTrue(found.startswith("http.tls.letsencrypt: "))
            self.assertIn("certbot", found)

    def test_empty_items(self) -> None:
        """An item of a list that says nothing is told and ignored."""
        text = (
            "notifications: {endpoints: [{name: '', url: ''},"
            " {name: a, url: 'http://a/'}]}"
        )
        self.assertEqual(len(read(text).notifications.endpoints), 1)
        self.assertEqual(
            warnings(text),
            ["notifications.endpoints[0]: is empty and is ignored"],
        )

    def test_empty_patterns_stay(self) -> None:
        """An empty pattern matches every URL, and is no empty value."""
        urls = read("validation: {manifests: {urls: {allow: ['']}}}").validation
        self.assertEqual(urls.manifests.urls.allow, ("",))

    def test_typing_errors_are_told_all_the_same(self) -> None:
        """A key that is not known is told, however empty its section is."""
        (found,) = warnings("http: {tsl: }")
        self.assertIn("http.tsl: is not a known key", found)
