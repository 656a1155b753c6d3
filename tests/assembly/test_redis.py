"""The redis that caches descriptors, as configured."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.reactors import MemoryReactorClock
from txregistry.assembly.redis import make_redis, redis_tls_files
from txregistry.config.model import Config
from txregistry.config.read import read_config


class RedisTests(SynchronousTestCase):
    """What is made of the section."""

    def config(self, cache: str, **redis: Any) -> Config:
        storage = {"inmemory": None, "cache": {"blobdescriptor": cache}}
        given = {"version": "0.1", "storage": storage, "redis": redis}
        return read_config(given)[0]

    def test_not_asked_for(self) -> None:
        """There is none unless descriptors are cached there."""
        config = self.config("inmemory", addr="127.0.0.1:1")
        self.assertIsNone(make_redis(config, MemoryReactorClock()))

    def test_address(self) -> None:
        """It connects to its address when the service starts, and not before."""
        reactor = MemoryReactorClock()
        redis = make_redis(self.config("redis", addr="127.0.0.1:7"), reactor)
        assert redis is not None
        self.assertEqual(reactor.tcpClients, [])
        redis.startService()
        self.assertEqual(
            {found[:2] for found in reactor.tcpClients}, {("127.0.0.1", 7)}
        )
        redis.stopService()

    def test_sentinel(self) -> None:
        """With the name of a group, Sentinel is asked for its master first."""
        reactor = MemoryReactorClock()
        config = self.config("redis", addrs=["127.0.0.1:7", "[::1]:8"], mastername="m")
        redis = make_redis(config, reactor)
        assert redis is not None
        redis.startService()
        self.addCleanup(redis.stopService)
        self.assertEqual(reactor.tcpClients[0][:2], ("127.0.0.1", 7))

    def test_password_is_not_shown(self) -> None:
        """Whoever prints it does not print the password."""
        config = self.config("redis", addr="127.0.0.1:7", password="hush")
        self.assertNotIn("hush", repr(make_redis(config, MemoryReactorClock())))

    def test_files(self) -> None:
        """Authorities are read together; a file that is missing is an error."""
        paths = [self.mktemp() for _ in range(2)]
        for number, path in enumerate(paths):
            with open(path, "w") as file:
                file.write(f"{number}\n")
        config = self.config("redis", addr="h:7", tls={"rootcas": paths})
        self.assertEqual(redis_tls_files(config.redis).ca, b"0\n1\n")
        config = self.config("redis", addr="h:7", tls={"rootcas": ["/none"]})
        self.assertRaises(OSError, redis_tls_files, config.redis)
