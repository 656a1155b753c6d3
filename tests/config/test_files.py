"""Keys that name files, paths of credentials, and where values come from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.loading import Loaded, examine, load
from txregistry.config.files import Files, FileText, is_twin
from txregistry.config.read import ConfigurationError


class FilesCase(SynchronousTestCase):
    """A configuration in a directory, with secrets beside it."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "config.yml"

    def file(self, content: str, name: str = "secret", mode: int = 0o600) -> str:
        path = self.directory / name
        path.write_text(content)
        path.chmod(mode)
        return str(path)

    def examine(
        self,
        variables: dict[str, str] | None = None,
        service: bool = True,
        **config: Any,
    ) -> Loaded:
        stated = {"version": "0.1", "storage": "inmemory", **config}
        self.path.write_text(yaml.safe_dump(stated))
        return examine(str(self.path), variables or {}, service)


class TwinTests(FilesCase):
    """Values in files."""

    def test_value(self) -> None:
        """The text of the file is the value, without the newline at its end."""
        found = self.examine(
            http={"secretfile": self.file(" two\nlines\n\n", "a")},
            proxy={
                "remoteurl": "https://a",
                "usernamefile": self.file("me\n", "b"),
                "passwordfile": self.file("0123\r\n", "c"),
            },
        )
        self.assertEqual((found.problems, found.warnings), ([], []))
        config = found.config
        self.assertEqual(config.http.secret, " two\nlines\n")
        self.assertEqual((config.proxy.username, config.proxy.password), ("me", "0123"))

    def test_url_and_headers(self) -> None:
        """A URL, and headers beside others, of an endpoint and of a check."""
        url = self.file("http://u:p@a/\n", "url")
        header = self.file("Bearer x\n", "header")
        found = self.examine(
            notifications={
                "endpoints": [
                    {"name": "other", "url": "http://b/"},
                    {
                        "name": "n",
                        "urlfile": url,
                        "headers": {"X-A": ["b"]},
                        "headersfile": {"Authorization": header},
                    },
                ]
            },
            health={"http": [{"urifile": url, "headersfile": {"Cookie": header}}]},
        )
        self.assertEqual((found.problems, found.warnings), ([], []))
        endpoint = found.config.notifications.endpoints[1]
        self.assertEqual(endpoint.url, "http://u:p@a/")
        self.assertEqual(
            endpoint.headers, {"X-A": ("b",), "Authorization": ("Bearer x",)}
        )
        (check,) = found.config.health.http
        self.assertEqual(
            (check.uri, check.headers["Cookie"][0]), (endpoint.url, "Bearer x")
        )

    def test_both(self) -> None:
        """A value and a file of it exclude one another, headers one by one."""
        path = self.file("x")
        found = self.examine(
            proxy={"password": "p", "passwordfile": path},
            notifications={
                "endpoints": [
                    {
                        "name": "n",
                        "url": "http://a/",
                        "headers": {"authorization": ["b"]},
                        "headersfile": {"Authorization": path},
                    }
                ]
            },
        )
        one = "notifications.endpoints[0].headersfile.Authorization"
        self.assertEqual(
            found.problems,
            [
                "proxy.passwordfile: excludes proxy.password",
                f"{one}: excludes notifications.endpoints[0].headers.Authorization",
            ],
        )

    def test_empty_names(self) -> None:
        """A key without a value is as if it were not there."""
        found = self.examine(proxy={"password": "p", "passwordfile": None})
        self.assertEqual((found.problems, found.config.proxy.password), ([], "p"))

    def test_files_that_cannot_be_used(self) -> None:
        """One that is missing, a directory, empty or no text; all of them are told."""
        binary = self.directory / "binary"
        binary.write_bytes(b"\xff\xfe")
        empty = self.file("\n", "empty")
        first, missing = "notifications.endpoints[0]", "No such file or directory"
        found = self.examine(
            http={"secretfile": "/nowhere/x"},
            proxy={"usernamefile": str(self.directory), "passwordfile": empty},
            redis={"passwordfile": str(binary), "usernamefile": ["x"]},
            notifications={"endpoints": [{"name": "n", "urlfile": "/nowhere/y"}]},
        )
        self.assertEqual(
            sorted(found.problems),
            [
                f"http.secretfile: cannot be read: /nowhere/x: {missing}",
                f"{first}.urlfile: cannot be read: /nowhere/y: {missing}",
                f"proxy.passwordfile: is empty: {empty}",
                f"proxy.usernamefile: cannot be read: {self.directory}: Is a directory",
                f"redis.passwordfile: cannot be read: {binary}: it is not UTF-8",
                "redis.usernamefile: expected text, found a list",
            ],
        )

    def test_open_to_all(self) -> None:
        """A file that all users may read is used, with a warning."""
        path = self.file("hush", mode=0o644)
        found = self.examine(proxy={"passwordfile": path})
        self.assertEqual(
            found.warnings, [f"proxy.passwordfile: all users may read it: {path}"]
        )
        self.assertEqual(found.config.proxy.password, "hush")

    def test_not_shown(self) -> None:
        """Nothing that is told has the text of a file."""
        path = self.file("hush", mode=0o644)
        found = self.examine(
            proxy={"passwordfile": path, "password": "hush"},
            http={"secretfile": path, "net": "x"},
        )
        self.assertNotIn("hush", "".join(found.problems + found.warnings))

    def test_parameters_of_packages(self) -> None:
        """So may parameters of drivers that no model declares, if they look like it."""
        read = Files(lambda path: FileText(f"text of {path}\n"), {}).fill
        azure = {"secretkeyfile": "a", "keyfile": "b", "tls": {"passwordfile": "c"}}
        filled = read({"storage": {"azure": azure, "delete": {"enabled": True}}})
        self.assertEqual(
            filled.mapping,
            {
                "storage": {
                    "azure": {
                        "secretkey": "text of a",
                        "keyfile": "b",
                        "tls": {"password": "text of c"},
                    },
                    "delete": {"enabled": True},
                }
            },
        )
        filled = read({"auth": {"ldap": {"bindpasswordfile": "d"}}})
        self.assertEqual(
            filled.mapping, {"auth": {"ldap": {"bindpassword": "text of d"}}}
        )
        self.assertEqual(
            filled.sources, {"auth.ldap.bindpassword": "auth.ldap.bindpasswordfile"}
        )
        for name in ("file", "keyfile", "privatekeyfile", "tokenfile", "secretkey"):
            self.assertFalse(is_twin(name), name)

    def test_odd_shapes(self) -> None:
        """What has another shape than expected is left to the reader."""
        read = Files(lambda path: FileText("x"), {}).fill
        for mapping in (
            {"storage": "inmemory", "auth": "none", "proxy": "x"},
            {"notifications": {"endpoints": [None, "x"]}, "health": []},
            {"storage": {"azure": None}, "auth": {"other": ["x"]}},
            {"notifications": {"endpoints": {"name": "x"}}},
        ):
            self.assertEqual(read(mapping).mapping, mapping)
        odd = {"headers": "x", "headersfile": {"A": "f"}}
        filled = read({"notifications": {"endpoints": [odd]}})
        self.assertEqual(
            filled.mapping, {"notifications": {"endpoints": [{"headers": "x"}]}}
        )


class VariableTests(FilesCase):
    """Values and files from the environment."""

    def test_twin(self) -> None:
        """A variable may name the file as well, by the key or by _FILE."""
        path = self.file("p")
        for name in ("PASSWORDFILE", "PASSWORD_FILE"):
            found = self.examine({f"REGISTRY_PROXY_{name}": path})
            self.assertEqual((found.config.proxy.password, found.problems), ("p", []))
        endpoint = {"name": "n", "url": "http://a/"}
        found = self.examine(
            {"REGISTRY_NOTIFICATIONS_ENDPOINTS_0_HEADERSFILE_AUTHORIZATION": path},
            notifications={"endpoints": [endpoint]},
        )
        headers = found.config.notifications.endpoints[0].headers
        self.assertEqual(headers, {"authorization": ("p",)})

    def test_variable_over_file(self) -> None:
        """A variable takes the place of what the file says, in either form."""
        path = self.file("from the file")
        for given, variables, expected in (
            ({"passwordfile": "/nowhere"}, {"PASSWORD": "itself"}, "itself"),
            ({"passwordfile": "/nowhere"}, {"PASSWORD_FILE": path}, "from the file"),
            ({"password": "itself"}, {"PASSWORDFILE": path}, "from the file"),
            ({}, {"PASSWORD": "itself"}, "itself"),
        ):
            named = {f"REGISTRY_PROXY_{name}": text for name, text in variables.items()}
            found = self.examine(named, proxy=given)
            self.assertEqual(
                (found.problems, found.config.proxy.password), ([], expected)
            )

    def test_both(self) -> None:
        """Two variables for one value exclude one another."""
        found = self.examine(
            {"REGISTRY_PROXY_PASSWORD": "x", "REGISTRY_PROXY_PASSWORDFILE": "/y"}
        )
        (problem, *_) = found.problems
        self.assertEqual(
            problem, "REGISTRY_PROXY_PASSWORDFILE: excludes REGISTRY_PROXY_PASSWORD"
        )


class CredentialTests(FilesCase):
    """Paths below the directory that systemd makes for a unit."""

    def test_expanded(self) -> None:
        """Of twins, of certificates and keys, and of variables."""
        self.file("hush\n", "hub")
        htpasswd = self.file("", "htpasswd")
        variables = {
            "CREDENTIALS_DIRECTORY": str(self.directory),
            "REGISTRY_HTTP_SECRET_FILE": "${CREDENTIALS_DIRECTORY}/hub",
        }
        found = self.examine(
            variables,
            proxy={"passwordfile": "${CREDENTIALS_DIRECTORY}/hub"},
            auth={
                "htpasswd": {"realm": "r", "path": "${CREDENTIALS_DIRECTORY}/htpasswd"}
            },
        )
        self.assertEqual((found.problems, found.warnings), ([], []))
        self.assertEqual(found.config.proxy.password, "hush")
        self.assertEqual(found.config.http.secret, "hush")
        self.assertEqual(found.config.auth.parameters["path"], htpasswd)

    def test_missing_at_a_start(self) -> None:
        """The service does not start without the directory."""
        path = "${CREDENTIALS_DIRECTORY}/s"
        found = self.examine(
            {"REGISTRY_HTTP_SECRET_FILE": path},
            proxy={"passwordfile": "${CREDENTIALS_DIRECTORY}/hub"},
            http={"tls": {"certificate": "${CREDENTIALS_DIRECTORY}/c", "key": "/k"}},
        )
        why = "${CREDENTIALS_DIRECTORY} is set by systemd only, for a unit with"
        self.assertEqual(
            [problem.partition(why)[0] for problem in found.problems],
            [
                f"REGISTRY_HTTP_SECRET_FILE: cannot be read: {path}: ",
                "http.tls.certificate: ",
                "proxy.passwordfile: ",
                "http.tls.key: cannot be read: /k",
            ],
        )
        self.assertRaises(ConfigurationError, load, str(self.path), {})

    def test_missing_elsewhere(self) -> None:
        """Who looks from outside is told what was not looked at."""
        path = "${CREDENTIALS_DIRECTORY}/x"
        found = self.examine(
            service=False,
            proxy={"remoteurl": "https://a", "username": "u", "passwordfile": path},
            http={"tls": {"certificate": path, "key": path, "clientcas": [path]}},
            auth={"token": {"realm": "r", "service": "s", "issuer": "i", "jwks": path}},
            notifications={"endpoints": [{"name": "n", "urlfile": path}]},
        )
        self.assertEqual(found.problems, [])
        origin = str(found.origins.of("proxy.password"))
        self.assertTrue(origin.startswith("proxy.passwordfile (not looked at), /"))
        self.assertEqual(
            sorted(warning.partition(": ")[0] for warning in found.warnings),
            [
                "auth.token.jwks",
                "http.tls.certificate",
                "http.tls.clientcas[0]",
                "http.tls.key",
                "notifications.endpoints[0].urlfile",
                "proxy.passwordfile",
            ],
        )


class OriginTests(FilesCase):
    """Where each value comes from."""

    def test_origins(self) -> None:
        """A line of the file, a variable, a file that a key names, or the default."""
        secret = self.file("x")
        self.path.write_text(
            "version: 0.1\nstorage:\n  inmemory: {}\n  cache: {layerinfo: inmemory}\n"
            "loglevel: debug\nbase: &base\n  timeout: 2s\nnotifications:\n"
            "  endpoints:\n  - name: a\n    url: http://a/\n"
            "  - <<: *base\n    name: b\n    url: http://b/\n"
            f"proxy:\n  passwordfile: {secret}\n  username: u\n"
        )
        variables = {"REGISTRY_PROXY_USERNAME": "v", "REGISTRY_HTTP": "{addr: ':1'}"}
        origins = examine(str(self.path), variables).origins
        name = os.fspath(self.path)
        for path, expected in (
            ("version", f"{name}:1"),
            ("storage.inmemory", f"{name}:3"),
            ("storage.cache.blobdescriptor", f"{name}:4"),
            ("log.level", f"{name}:5"),
            ("notifications.endpoints[0].name", f"{name}:10"),
            ("notifications.endpoints[1].timeout", f"{name}:7"),
            ("notifications.endpoints[1].name", f"{name}:13"),
            ("proxy.password", f"proxy.passwordfile, {name}:16"),
            ("proxy.username", "REGISTRY_PROXY_USERNAME"),
            ("http.addr", "REGISTRY_HTTP"),
            ("http.headers", "REGISTRY_HTTP"),
            ("proxy.ttl", "default"),
        ):
            self.assertEqual(str(origins.of(path)), expected, path)

    def test_embedded(self) -> None:
        """Without a file all is a default."""
        self.assertEqual(
            str(examine(None, {}).origins.of("proxy.remoteurl")), "default"
        )
