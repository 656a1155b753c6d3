"""Older names of keys."""

from __future__ import annotations

from tests.config.test_config import ReadCase


class AliasTests(ReadCase):
    """What they stand for."""

    def test_aliases(self) -> None:
        """Old names count where the new ones are absent."""
        config = self.read(
            loglevel="debug",
            storage={"inmemory": None, "cache": {"layerinfo": "inmemory"}},
        )
        self.assertEqual(config.log.level, "debug")
        self.assertEqual(config.storage.cache.blobdescriptor, "inmemory")

    def test_redis(self) -> None:
        """Both shapes of the section are read, and are of use as a cache only."""
        storage = {"inmemory": None, "cache": {"blobdescriptor": "redis"}}
        for redis in ({"addr": "h:6379"}, {"addrs": ["h:6379"]}):
            config = self.read(storage=storage, redis=redis)
            self.assertEqual(config.redis.addrs, ("h:6379",))
            self.assertEqual(self.warnings(storage=storage, redis=redis), [])
            (warning,) = self.warnings(redis=redis)
            self.assertIn("storage.cache.blobdescriptor", warning)

    def test_newer_names_count(self) -> None:
        """Where both are given, the newer name counts."""
        config = self.read(
            loglevel="debug",
            log={"level": "error"},
            storage={
                "inmemory": None,
                "cache": {"layerinfo": "redis", "blobdescriptor": "inmemory"},
            },
        )
        self.assertEqual(config.log.level, "error")
        self.assertEqual(config.storage.cache.blobdescriptor, "inmemory")

    def test_ignored_media_types(self) -> None:
        """Both lists of an endpoint are one."""
        endpoint = {
            "name": "a",
            "url": "http://a/",
            "ignoredmediatypes": ["x/old"],
            "ignore": {"mediatypes": ["x/new"]},
        }
        config = self.read(notifications={"endpoints": [endpoint]})
        (found,) = config.notifications.endpoints
        self.assertEqual(found.ignore.mediatypes, ("x/new", "x/old"))
        self.assertEqual(found.ignoredmediatypes, ())
