"""What is shown of a configuration."""

from __future__ import annotations

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_config import MINIMAL
from txregistry.config.read import read_config
from txregistry.config.show import MASK, effective


class ShowTests(SynchronousTestCase):
    """The effective configuration."""

    def test_secrets_are_masked(self) -> None:
        """Passwords, keys and what may be one are not printed."""
        config, _ = read_config(
            {
                "version": "0.1",
                "storage": {"s3": {"bucket": "b", "secretkey": "k1", "region": "r"}},
                "http": {"secret": "k2"},
                "proxy": {"username": "me", "password": "k3"},
                "redis": {"addr": "x:1", "password": "k4"},
                "auth": {"other": {"list": [{"token": "k5"}]}},
            }
        )
        shown = effective(config)
        text = yaml.safe_dump(shown)
        for secret in ("k1", "k2", "k3", "k4", "k5"):
            self.assertNotIn(secret, text)
        self.assertEqual(shown["proxy"]["password"], MASK)
        self.assertEqual(shown["storage"]["s3"]["region"], "r")

    def test_passwords_in_urls_are_masked(self) -> None:
        """A name and a password are printed with no URL, wherever it stands."""
        urls = ("http://u:p1@a/", "http://u:p@p1@a:1/x@y", "https://p1@a?b=/c")
        for url in urls:
            config, _ = read_config(
                {
                    "version": "0.1",
                    "storage": {"other": {"endpoint": url, "list": [url]}},
                    "notifications": {"endpoints": [{"name": "a", "url": url}]},
                    "health": {
                        "http": [{"uri": url, "headers": {"Authorization": ["p1"]}}]
                    },
                    "log": {"fields": {"from": url}},
                    "reporting": {"where": url},
                }
            )
            shown = effective(config)
            self.assertNotIn("p1", yaml.safe_dump(shown))
            (endpoint,) = shown["notifications"]["endpoints"]
            self.assertTrue(endpoint["url"].startswith(url.partition("//")[0]))

    def test_shown_configuration_reads_back(self) -> None:
        """What is printed, without secrets, is a configuration that means the same."""
        config, _ = read_config(
            {
                **MINIMAL,
                "proxy": {
                    "remoteurl": "https://x",
                    "ttl": "90m",
                    "maxstale": "1h",
                    "trustedrealms": ["a"],
                },
            }
        )
        again, warnings = read_config(yaml.safe_load(yaml.safe_dump(effective(config))))
        self.assertEqual(again, config)
        self.assertEqual(warnings, [])
