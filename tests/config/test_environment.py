"""Environments as people share them: names of other programs, secrets in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.shapes.shape import links
from txregistry.assembly.loading import load
from txregistry.config.environment import Override
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError

#: Variables that Kubernetes sets for services of these names.
SERVICES = (
    "REGISTRY",
    "REGISTRY_AUTH",
    "REGISTRY_AUTH_HTPASSWD",
    "REGISTRY_AUTH_TOKEN",
    "REGISTRY_STORAGE",
    "REGISTRY_STORAGE_FILESYSTEM",
    "REGISTRY_STORAGE_S3",
    "REGISTRY_HTTP",
    "REGISTRY_HTTP_HEADERS",
    "REGISTRY_PROXY",
    "REGISTRY_REDIS",
    "REGISTRY_LOG_FIELDS",
    "REGISTRY_NOTIFICATIONS",
    "REGISTRY_VERSION",
)


class EnvironmentCase(SynchronousTestCase):
    """A file that is right, in a directory of its own."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "config.yml"
        self.write(
            storage={"filesystem": {"rootdirectory": "/data"}},
            http={"addr": "127.0.0.1:1", "secret": "old", "headers": {"X-A": ["b"]}},
            proxy={"remoteurl": "https://a.example", "username": "u", "password": "p"},
            redis={"password": "r"},
            log={"fields": {"service": "s"}},
            notifications={
                "endpoints": [
                    {
                        "name": "n",
                        "url": "http://a/",
                        "headers": {"Authorization": ["Bearer x"]},
                    }
                ]
            },
        )
        self.plain = self.loaded()

    def write(self, **config: Any) -> None:
        self.path.write_text(yaml.safe_dump({"version": "0.1", **config}))

    def file(self, content: str | bytes, name: str = "secret") -> str:
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def loaded(self, **variables: str) -> tuple[Config, list[str]]:
        named = {f"REGISTRY_{name}": text for name, text in variables.items()}
        return load(str(self.path), named)

    def config(self, **variables: str) -> Config:
        return self.loaded(**variables)[0]

    def told(self, **variables: str) -> list[str]:
        """Give the new warnings."""
        return [
            item for item in self.loaded(**variables)[1] if item not in self.plain[1]
        ]

    def problems(self, **variables: str) -> list[str]:
        with self.assertRaises(ConfigurationError) as caught:
            self.loaded(**variables)
        return caught.exception.problems


class ForeignTests(EnvironmentCase):
    """Names that are not ours, or go on where no key is."""

    def test_nothing_is_changed(self) -> None:
        """A variable that names no key is told by its name, and changes nothing."""
        for name, value in (
            ("AUTH_FILE", "/run/containers/auth.json"),
            ("AUTH_FILE", "{a: b}"),
            ("AUTH_URL", "https://auth.example"),
            ("AUTH_HTPASSWD_NOSUCH", "x"),
            ("AUTH_TOKEN_URL_BASE", "x"),
            ("PROXY_PASSWORD_HASH", "x"),
            ("PROXY_PASSWORD_FILE_MODE", "x"),
            ("PROXY_REMOTEURL_FILE", "/x"),
            ("PROXY_TTL_SECONDS", "x"),
            ("HTTP_ADDR_FILE", "/x"),
            ("HTTP_ADDR_MORE_STILL", "x"),
            ("HTTP_TLS_KEY_FILE", "/x"),
            ("HTTP_HEADERS_X-A_B", "x"),
            ("HTTP__ADDR", "x"),
            ("HTTP_", "x"),
            ("", "x"),
            ("LOG_FIELDS_SERVICE_NAME", "x"),
            ("STORAGE_DRIVER", "filesystem"),
            ("STORAGE_PATH", "/x"),
            ("STORAGE_FILESYSTEM_NOSUCH", "x"),
            ("STORAGE_FILESYSTEM_ROOTDIRECTORY_FILE", "/x"),
            ("STORAGE_FILESYSTEM_MAXTHREADS_FILE", "/x"),
            ("STORAGE_DELETE_ENABLED_FILE", "/x"),
            ("STORAGE_CACHE_BLOBDESCRIPTOR_SIZE", "1"),
            ("NOTIFICATIONS_ENDPOINTS_0_NOSUCH", "x"),
            ("NOTIFICATIONS_ENDPOINTS_1_NOSUCH", "x"),
            ("NOTIFICATIONS_ENDPOINTS_0_NAME_MORE", "x"),
            ("NOTIFICATIONS_ENDPOINTS_7_NAME", "x"),
            ("NOTIFICATIONS_ENDPOINTS_FIRST", "x"),
            ("VERSION", "2.8.3"),
            ("VERSION", "latest"),
            ("VERSION_TAG", "0.1"),
            ("TAG", "["),
            ("HOST", "registry.example"),
            ("URL", "https://registry.example"),
        ):
            config, warnings = self.loaded(**{name: value})
            self.assertEqual(config, self.plain[0], name)
            new = [item for item in warnings if item not in self.plain[1]]
            self.assertEqual(len(new), 1, (name, new))
            self.assertTrue(new[0].startswith(f"REGISTRY_{name}: "), new)
            self.assertIn("ignored", new[0])

    def test_links(self) -> None:
        """What Kubernetes sets for services changes nothing, whatever their names."""
        for service in SERVICES:
            for name, value in links(service).items():
                config, warnings = load(str(self.path), {name: value})
                self.assertEqual(config, self.plain[0], name)
                told = [item for item in warnings if item.startswith(f"{name}: ")]
                self.assertEqual(len(told), 1, name)

    def test_all_links_at_once(self) -> None:
        """All of them together are told, each once."""
        environment = {k: v for service in SERVICES for k, v in links(service).items()}
        config, warnings = load(str(self.path), environment)
        self.assertEqual(config, self.plain[0])
        self.assertEqual(len(warnings), len(self.plain[1]) + len(environment))

    def test_links_beside_no_controller(self) -> None:
        """A service called registry-auth makes no access controller."""
        config, _ = load(None, {**links("REGISTRY_AUTH"), **links("REGISTRY_STORAGE")})
        self.assertEqual(
            (config.auth.controller, config.storage.driver), ("", "filesystem")
        )

    def test_version_of_the_format(self) -> None:
        """The version that a file has to have may come from the environment."""
        self.path.write_text("storage: inmemory")
        config, warnings = load(str(self.path), {"REGISTRY_VERSION": "0.1"})
        self.assertEqual((config.version, warnings), ("0.1", []))

    def test_values_of_ours(self) -> None:
        """Names of ours are taken as ever, beside those that are not."""
        config = self.config(
            STORAGE_FILESYSTEM_ROOTDIRECTORY="/new",
            STORAGE_DELETE_ENABLED="true",
            HTTP_ADDR="127.0.0.1:2",
            HTTP_ADDR_FILE="/x",
            HTTP_HEADERS_NEW="[y]",
            NOTIFICATIONS_ENDPOINTS_0_TIMEOUT="2s",
            NOTIFICATIONS_ENDPOINTS_1="{name: m, url: 'http://b/'}",
            REDIS_ADDRS="['a:1']",
            HTTP_TLS_LETSENCRYPT_EMAIL="",
        )
        self.assertEqual(config.storage.parameters, {"rootdirectory": "/new"})
        self.assertTrue(config.storage.delete.enabled)
        self.assertEqual(config.http.addr, "127.0.0.1:2")
        self.assertEqual(config.http.headers, {"X-A": ("b",), "new": ("y",)})
        first, second = config.notifications.endpoints
        self.assertEqual((first.timeout, first.name, second.name), (2.0, "n", "m"))
        self.assertEqual(config.redis.addrs, ("a:1",))

    def test_controllers(self) -> None:
        """A controller by its name, and parameters of it."""
        path = self.file("", "htpasswd")
        config = self.config(
            AUTH="htpasswd", AUTH_HTPASSWD_REALM="r", AUTH_HTPASSWD_PATH=path
        )
        self.assertEqual(config.auth.parameters, {"realm": "r", "path": path})

    def test_secrets_that_are_no_yaml(self) -> None:
        """What cannot be read as YAML is not repeated: it may be a password."""
        for value in ("!hunter2", "*hunter2", "&hunter2 a: b", "{hunter2", "'hunter2"):
            (problem,) = self.problems(PROXY_PASSWORD=value)
            self.assertIn("REGISTRY_PROXY_PASSWORD", problem)
            self.assertNotIn("hunter2", problem)

    def test_controller_that_looks_like_no_name(self) -> None:
        """What may be somebody's credentials is not repeated."""
        (problem,) = self.problems(AUTH="dXNlcjpwYXNz")
        self.assertIn("auth: expected htpasswd", problem)
        self.assertNotIn("dXNl", problem)

    def test_drivers_that_nobody_offers(self) -> None:
        """Whoever names a driver of distribution means it, and is told."""
        for name in ("S3_BUCKET", "GCS_BUCKET", "AZURE_CONTAINER", "SWIFT_USERNAME"):
            (problem,) = self.problems(**{f"STORAGE_{name}": "b"})
            self.assertIn("storage: expected exactly one driver", problem)
            self.assertIn(f"(see REGISTRY_STORAGE_{name})", problem)


class ProblemTests(EnvironmentCase):
    """Values that cannot be used are told with the variable that has them."""

    def test_named(self) -> None:
        """A problem names the key and the variable."""
        for name, value, problem in (
            ("HTTP_ADDR", "5", "http.addr: expected host:port, found '5'"),
            ("LOG_LEVEL", "loud", "log.level: expected error or warn"),
            ("PROXY_TTL", "soon", "proxy.ttl: expected a duration"),
            ("PROXY", "http://p:3128", "proxy: expected a mapping, found text"),
            ("AUTH", "nosuch", "auth.nosuch: expected htpasswd or"),
            ("AUTH", "htpasswd", "auth.htpasswd.realm: is missing"),
            ("STORAGE", "nosuch", "storage.nosuch: expected filesystem or inmemory"),
            ("HTTP_TLS_KEY", "/nowhere", "http.tls: certificate and key go together"),
        ):
            found = self.problems(**{name: value})
            self.assertTrue(found[0].startswith(problem), found)
            self.assertTrue(found[0].endswith(f"(see REGISTRY_{name})"), found)

    def test_others_are_not(self) -> None:
        """A problem of the file does not name a variable that has nothing to do."""
        self.write(storage="inmemory", log={"level": "loud"})
        (found,) = self.problems(LOG_FORMATTER="text", HTTP_ADDR=":1")
        self.assertTrue(found.endswith("found 'loud'"))

    def test_no_yaml(self) -> None:
        """A value that is no YAML is told without the value, which may be secret."""
        for value in ("[hush", "hush: [", "'hush", "@hush", "a: b: hush", "*hush"):
            (found,) = self.problems(PROXY_PASSWORD=value)
            self.assertTrue(found.startswith("REGISTRY_PROXY_PASSWORD: is not YAML: "))
            self.assertNotIn("[hush", found)
            self.assertNotIn("\n", found)
            self.assertNotIn("unicode string", found)


class SecretTests(EnvironmentCase):
    """``…_FILE`` of a key that may lie in a file."""

    def test_all_of_them(self) -> None:
        """Each secret, and what goes with one, is read from the file that is named."""
        for name, given in (
            ("PROXY_PASSWORD", lambda c: c.proxy.password),
            ("PROXY_USERNAME", lambda c: c.proxy.username),
            ("HTTP_SECRET", lambda c: c.http.secret),
            ("REDIS_PASSWORD", lambda c: c.redis.password),
            ("REDIS_USERNAME", lambda c: c.redis.username),
            ("REDIS_SENTINELPASSWORD", lambda c: c.redis.sentinelpassword),
            ("REDIS_SENTINELUSERNAME", lambda c: c.redis.sentinelusername),
        ):
            path = self.file(f"new {name}\n")
            self.assertEqual(
                given(self.config(**{f"{name}_FILE": path})), f"new {name}"
            )

    def test_notifications(self) -> None:
        """The header and the URL of an endpoint may lie in files."""
        first = "NOTIFICATIONS_ENDPOINTS_0"
        config = self.config(
            **{
                f"{first}_HEADERS_AUTHORIZATION_FILE": self.file("Basic eA==\n", "h"),
                f"{first}_URL_FILE": self.file("http://u:p@b/\n", "u"),
            }
        )
        (endpoint,) = config.notifications.endpoints
        self.assertEqual(endpoint.headers, {"Authorization": ("Basic eA==",)})
        self.assertEqual(endpoint.url, "http://u:p@b/")

    def test_text(self) -> None:
        """The text is taken as it is, but for one newline at its end."""
        for content, text in (
            ("plain", "plain"),
            ("line\n", "line"),
            ("line\r\n", "line"),
            ("two\n\n", "two\n"),
            (" spaces ", " spaces "),
            ("0123\n", "0123"),
            ("[a: {b", "[a: {b"),
            ("true", "true"),
            ("é\n", "é"),
            ("", ""),
        ):
            config = self.config(PROXY_PASSWORD_FILE=self.file(content))
            self.assertEqual(config.proxy.password, text)

    def test_files_that_cannot_be_read(self) -> None:
        """One that is missing, a directory or no text is told with the variable."""
        for path, reason in (
            ("/nowhere/secret", "No such file or directory"),
            (str(self.directory), "Is a directory"),
            (self.file(b"\xff\xfe"), "it is not UTF-8"),
            ("nul\0byte", "embedded null byte"),
        ):
            found = self.problems(PROXY_PASSWORD_FILE=path, LOG_LEVEL="loud")
            expected = f"REGISTRY_PROXY_PASSWORD_FILE: cannot be read: {path}: {reason}"
            self.assertEqual(found[0], expected)
            self.assertEqual(len(found), 2)

    def test_both(self) -> None:
        """A secret that is given itself counts, and the other is told."""
        path = self.file("from the file")
        for name in ("PROXY_PASSWORD", "HTTP_SECRET"):
            both = {name: "itself", f"{name}_FILE": path}
            config = self.config(**both)
            self.assertIn("itself", (config.proxy.password, config.http.secret))
            (told,) = self.told(**both)
            self.assertTrue(told.startswith(f"REGISTRY_{name}_FILE: "))

    def test_no_file(self) -> None:
        """A name without a value, as compose files make them, is told and ignored."""
        config = self.config(PROXY_PASSWORD_FILE="")
        self.assertEqual(config.proxy.password, "p")
        (told,) = self.told(PROXY_PASSWORD_FILE="")
        self.assertIn("REGISTRY_PROXY_PASSWORD_FILE: names no file", told)

    def test_parameters_of_other_drivers(self) -> None:
        """A parameter that is secret by its name may lie in a file as well."""
        path = self.file("k3y\n")
        (problem,) = self.problems(STORAGE="azure", STORAGE_AZURE_SECRETKEY_FILE=path)
        self.assertIn("storage.azure: ", problem)
        found = Override(yaml.safe_load, lambda path: "k3y").apply(
            {"storage": {"azure": {"bucket": "b"}}},
            {
                "REGISTRY_STORAGE_AZURE_SECRETKEY_FILE": path,
                "REGISTRY_STORAGE_AZURE_BUCKET_FILE": path,
            },
        )
        self.assertEqual(
            found.mapping, {"storage": {"azure": {"bucket": "b", "secretkey": "k3y"}}}
        )
        self.assertEqual(len(found.warnings), 1)

    def test_nothing_is_printed(self) -> None:
        """No warning and no problem has the text of a file."""
        path = self.file("hush")
        texts = self.told(PROXY_PASSWORD_FILE=path, HTTP_SECRET_FILE=path)
        texts += self.problems(HTTP_SECRET_FILE=path, LOG_LEVEL="loud")
        self.assertNotIn("hush", "".join(texts))
