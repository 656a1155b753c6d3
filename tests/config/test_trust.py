"""Hosts that an upstream may name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.read import ConfigurationError, read_config


class ConfigurationTests(SynchronousTestCase):
    """Keys that name where an upstream may lead."""

    def test_bad_entries_are_told_at_the_start(self) -> None:
        """``proxy.trustedtargets`` names the entry that is none."""
        targets = ["10.0.0.0/8", "http://minio"]
        proxy = {"remoteurl": "https://x", "trustedtargets": targets}
        storage: dict[str, object] = {"inmemory": {}}
        with self.assertRaises(ConfigurationError) as caught:
            read_config({"version": "0.1", "storage": storage, "proxy": proxy})
        (problem,) = caught.exception.problems
        self.assertIn("proxy.trustedtargets[1]: expected a host", problem)

    def test_realms_that_are_none(self) -> None:
        """``proxy.trustedrealms`` does too, before anything is made of it."""
        for realm in ("ftp://x", "h:99999", "http://[", "a b", ""):
            realms = ["https://good/token", "good:8443", realm]
            proxy = {"remoteurl": "https://x", "trustedrealms": realms}
            given = {"version": "0.1", "storage": "inmemory", "proxy": proxy}
            error = self.assertRaises(ConfigurationError, read_config, given)
            (problem,) = error.problems
            self.assertIn("proxy.trustedrealms[2]: expected an http", problem, realm)
