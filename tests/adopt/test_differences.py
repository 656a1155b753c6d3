"""What is told of a configuration and of a storage directory."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.adopt import differences
from txregistry.adopt.counts import Survey
from txregistry.adopt.differences import (
    for_clients,
    of_configuration,
    of_settings,
    of_storage,
)
from txregistry.adopt.findings import Finding, Level, verdict
from txregistry.config.http import DebugSection, Http, Tls
from txregistry.config.model import Config, Proxy
from txregistry.config.storage import Storage

PLAIN = Config(
    "0.1",
    Storage("filesystem", {"rootdirectory": "/var/lib/registry"}),
    http=Http(addr=":5000"),
)
GIB = 1024**3


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.about: finding.level for finding in findings}


class ConfigurationTests(SynchronousTestCase):
    """Keys."""

    def test_problems_and_warnings(self) -> None:
        """What we refuse is in the way; what somebody may miss is to be looked at."""
        found = of_configuration(
            ["storage.s3: expected filesystem or inmemory"],
            [
                "reporting: is accepted and has no effect: why",
                "log.hooks: is accepted and has no effect: why",
                "http.foo: is not a known key and is ignored",
            ],
        )
        expected = {
            "storage.s3": Level.CANNOT,
            "reporting": Level.LOOK,
            "log.hooks": Level.LOOK,
            "http.foo": Level.NOTE,
        }
        self.assertEqual(levels(found), expected)
        self.assertEqual(found[0].text, "expected filesystem or inmemory")

    def test_nothing(self) -> None:
        """A plain configuration is read as it was, and clients notice nothing."""
        self.assertEqual(of_settings(PLAIN, True), [])
        address, pause = for_clients(PLAIN, [])
        self.assertEqual(address, "nothing: the address stays :5000")
        self.assertIn("some seconds", pause)
        self.assertEqual(verdict([]), Level.NOTE)

    def test_no_address(self) -> None:
        """Without an address the old registry takes any port, and we do not."""
        found = of_settings(PLAIN, False)
        self.assertEqual(levels(found), {"http.addr": Level.LOOK})
        self.assertEqual(for_clients(PLAIN, found)[0], "the address becomes :5000")

    def test_notes(self) -> None:
        """TLS, the debug server and a cache work a little otherwise."""
        http = Http(
            addr=":5000",
            tls=Tls(certificate="/x.pem", key="/x.key"),
            debug=DebugSection(addr=":5001"),
        )
        config = attrs.evolve(PLAIN, http=http, proxy=Proxy(remoteurl="https://x"))
        expected = dict.fromkeys(("http.tls", "http.debug.addr", "proxy"), Level.NOTE)
        self.assertEqual(levels(of_settings(config, True)), expected)
        self.assertIn("/x.pem", "".join(for_clients(config, [])))

    def test_storage_that_is_no_directory(self) -> None:
        """What lies in the memory of a process cannot be taken over."""
        config = attrs.evolve(PLAIN, storage=Storage("inmemory"))
        self.assertEqual(verdict(of_settings(config, True)), Level.CANNOT)

    def test_relative_directory(self) -> None:
        """Nor can a directory that depends on where a process was started."""
        storage = Storage("filesystem", {"rootdirectory": "data"})
        found = of_settings(attrs.evolve(PLAIN, storage=storage), True)
        self.assertEqual(verdict(found), Level.CANNOT)


class StorageTests(SynchronousTestCase):
    """The directory."""

    def survey(self, **changes: object) -> Survey:
        return attrs.evolve(Survey("/srv", free_bytes=GIB), **changes)

    def of(self, found: Survey, is_cache: bool = False) -> list[Finding]:
        return of_storage(found, is_cache, "docker-registry")

    def test_nothing(self) -> None:
        """Nothing is told of a directory that is as it should be."""
        self.assertEqual(self.of(self.survey()), [])

    def test_every_oddity(self) -> None:
        """Each kind has a text, with how many there are, and examples."""
        found = self.survey()
        for kind in differences._ODDITIES:
            for number in range(7):
                found.odd(kind, f"/{kind}/{number}")
        told = self.of(found)
        self.assertEqual(len(told), len(differences._ODDITIES))
        for kind, finding in zip(differences._ODDITIES, told, strict=True):
            self.assertIn(f"/{kind}/0, ", finding.text)
            self.assertTrue(finding.text.endswith(f"/{kind}/4, …"), finding.text)

    def test_closed_root(self) -> None:
        """A directory that the service cannot use at all is in the way."""
        found = self.survey()
        found.odd("closed", "/docker")
        self.assertEqual(verdict(self.of(found)), Level.LOOK)
        found.odd("closed", "/")
        self.assertEqual(verdict(self.of(found)), Level.CANNOT)

    def test_uploads_and_schema_1(self) -> None:
        """They are noted."""
        found = self.of(self.survey(uploads=2, upload_bytes=30, schema1=1))
        self.assertEqual([finding.level for finding in found], [Level.NOTE] * 2)
        self.assertIn("2 uploads of 30 bytes", found[0].text)

    def test_state_without_a_cache(self) -> None:
        """A directory of a cache that is served as a registry is to be looked at."""
        found = self.survey(has_state=True)
        self.assertEqual(verdict(self.of(found)), Level.LOOK)
        self.assertEqual(self.of(found, is_cache=True), [])

    def test_full_disk(self) -> None:
        """So is a disk that is nearly full."""
        self.assertEqual(verdict(self.of(self.survey(free_bytes=1))), Level.LOOK)
