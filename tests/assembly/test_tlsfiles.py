"""Files of TLS: what a start refuses, ``--check`` refuses."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from tests.assembly.test_namedfiles import FilesCase
from txregistry.assembly import tlsfiles


class TogetherTests(FilesCase):
    """Files and what else is wrong, at once."""

    def test_a_pair_and_its_file(self) -> None:
        """That a key is missing does not hide that its certificate is."""
        config = {"http": {"tls": {"certificate": self.path("gone")}}}
        self.assertEqual(
            self.problems(config),
            [
                "http.tls: certificate and key go together",
                f"http.tls.certificate: cannot be read: {self.path('gone')}",
            ],
        )

    def test_note_before_a_key(self) -> None:
        """What somebody wrote before a key does not make it encrypted."""
        tls = {"certificate": self.path("one.crt"), "key": self.path("noted.key")}
        self.load({"http": {"tls": tls}})


class TlsTests(FilesCase):
    """Certificates and keys, of our listener and of our clients."""

    def pair(self, certificate: str, key: str) -> dict[str, str]:
        return {"certificate": self.path(certificate), "key": self.path(key)}

    def each(self, certificate: str, key: str) -> dict[str, dict[str, Any]]:
        pair = self.pair(certificate, key)
        return {
            "http.tls": {"http": {"tls": pair}},
            "proxy.tls": {"proxy": {"remoteurl": "https://a", "tls": pair}},
            "proxy.upstreams.corp.tls": {
                "proxy": {
                    "upstreams": {"corp": {"remoteurl": "https://a", "tls": pair}}
                }
            },
            "redis.tls": {
                "storage": {"inmemory": None, "cache": {"blobdescriptor": "redis"}},
                "redis": {"addr": "a:1", "tls": pair},
            },
        }

    def test_pairs(self) -> None:
        """A certificate or a key that cannot be used is told by its key."""
        for certificate, key, expected in (
            ("gone", "one.key", "certificate: cannot be read: DIR/gone"),
            ("dir", "one.key", "certificate: cannot be read: DIR/dir: Is a directory"),
            ("one.crt", "gone", "key: cannot be read: DIR/gone"),
            ("one.crt", "dir", "key: cannot be read: DIR/dir: Is a directory"),
            ("empty", "one.key", "certificate: holds no certificate: DIR/empty"),
            ("one.key", "one.key", "certificate: holds no certificate: DIR/one.key"),
            (
                "broken",
                "one.key",
                "certificate: certificate 1 is malformed: DIR/broken",
            ),
            ("one.crt", "empty", "key: holds no private key: DIR/empty"),
            ("one.crt", "one.crt", "key: holds no private key: DIR/one.crt"),
            ("one.crt", "locked.key", "key: is encrypted: DIR/locked.key"),
            (
                "one.crt",
                "other.key",
                "key: belongs to another certificate: DIR/other.key",
            ),
        ):
            for section, config in self.each(certificate, key).items():
                self.check(config, f"{section}.{expected}")

    def test_pairs_that_can_be_used(self) -> None:
        """A certificate with its key is taken."""
        for config in self.each("one.crt", "one.key").values():
            self.load(config)

    def test_what_only_openssl_knows(self) -> None:
        """What OpenSSL refuses, by the policy of the machine, is told in its words."""

        def refuse(*_: object) -> None:
            raise SSL.Error([("SSL routines", "", "ee key too small")])

        self.patch(tlsfiles, "make_options", refuse)
        self.check(
            self.each("one.crt", "one.key")["http.tls"],
            "http.tls.certificate: cannot be used: ee key too small",
        )

    def test_authorities(self) -> None:
        """Files of authorities that hold none are told by their keys."""
        for name, expected in (
            ("gone", "cannot be read: DIR/gone"),
            ("dir", "cannot be read: DIR/dir: Is a directory"),
            ("empty", "holds no certificate: DIR/empty"),
            ("broken", "certificate 1 is malformed: DIR/broken"),
        ):
            bad, good = self.path(name), self.path("one.crt")
            http, proxy, _, redis = self.each("one.crt", "one.key").values()
            http["http"]["tls"]["clientcas"] = [good, bad]
            proxy["proxy"]["tls"] = {"ca": bad}
            redis["redis"]["tls"] = {"rootcas": [good, bad]}
            self.check(http, f"http.tls.clientcas[1]: {expected}")
            self.check(proxy, f"proxy.tls.ca: {expected}")
            self.check(redis, f"redis.tls.rootcas[1]: {expected}")

    def test_no_authority(self) -> None:
        """An empty name of a file of authorities never means that anybody may come."""
        http = {"tls": {**self.pair("one.crt", "one.key"), "clientcas": [""]}}
        self.check(
            {"http": http},
            "http.tls.clientcas[0]: holds no certificate: no file is named",
        )
