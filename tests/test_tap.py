"""The command line: options, streams, the tree of services."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import yaml
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.context import Context, make_context
from txregistry.assembly.loading import load
from txregistry.assembly.registry import build_registry
from txregistry.assembly.storage import build_storage
from txregistry.assembly.upstream import credentials
from txregistry.config.model import AuditSection
from txregistry.config.read import read_config
from txregistry.daemon.endpoints import remove_stale_socket, tcp_endpoint
from txregistry.daemon.tls import make_options
from txregistry.flow.disk import DiskPool, InlineDisk
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.tap import Options, _descriptors, _log_files, _reopen


class OptionsTests(SynchronousTestCase):
    """``twistd registry`` before anything starts."""

    def run_options(self, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        with self.assertRaises(SystemExit) as caught:
            Options().parseOptions(list(argv))
        return caught.exception.code, out.getvalue(), err.getvalue()

    def write(self, **config: object) -> str:
        path = self.mktemp()
        with open(path, "w") as file:
            yaml.safe_dump(config, file)
        return path

    def test_check(self) -> None:
        """--check prints the effective configuration and ends with 0."""
        path = self.write(version="0.1", storage="inmemory", prxy={})
        code, out, err = self.run_options("-c", path, "--check")
        self.assertEqual(code, 0)
        self.assertIn("inmemory: {}", out)
        self.assertIn("did you mean proxy?", err)

    def test_problems(self) -> None:
        """All problems on stderr, and status 78."""
        path = self.write(version="0.1", storage={}, log={"level": 3})
        code, out, err = self.run_options("-c", path)
        self.assertEqual((code, out), (78, ""))
        self.assertIn("storage: expected exactly one driver, found none", err)

    def test_files_that_cannot_be_used(self) -> None:
        """Missing, no YAML, no mapping; and files that the configuration names."""
        path = self.mktemp()
        for content, expected in (
            (None, "No such file"),
            ("a: [", "is not YAML"),
            ("- a", "expected a mapping"),
        ):
            if content is not None:
                with open(path, "w") as file:
                    file.write(content)
            code, _, err = self.run_options("-c", path)
            self.assertEqual(code, 78)
            self.assertIn(expected, err)
        path = self.write(
            version="0.1", storage="inmemory", proxy={"tls": {"ca": "/nowhere"}}
        )
        _, _, err = self.run_options("-c", path)
        self.assertEqual(err, "proxy.tls.ca: cannot be read: /nowhere\n")

    def test_version(self) -> None:
        """--version."""
        code, out, _ = self.run_options("--version")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("txregistry "))

    def test_unknown_option(self) -> None:
        """Anything else is a usage error."""
        self.assertRaises(UsageError, Options().parseOptions, ["--nonsense"])

    def test_embedded(self) -> None:
        """Without a file it is the embedded configuration, with the environment."""
        config, _ = load(None, {"REGISTRY_HTTP_ADDR": "127.0.0.1:1"})
        self.assertEqual(config.http.addr, "127.0.0.1:1")
        self.assertEqual(config.proxy.remoteurl, "https://registry-1.docker.io")

    def test_descriptors(self) -> None:
        """In the foreground the standard streams, else a file."""
        options = Options()
        options.parent = {"logfile": None, "nodaemon": True}
        standard = sys.__stderr__.fileno(), sys.__stdout__.fileno()
        files = _log_files(options, AuditSection())
        self.assertEqual(_descriptors(files), [*standard])
        options.parent = {"logfile": self.mktemp(), "nodaemon": True}
        files = _log_files(options, AuditSection(path=self.mktemp()))
        log, access, audit = _descriptors(files)
        self.addCleanup(os.close, log)
        self.addCleanup(os.close, audit)
        self.assertEqual(log, access)

    def test_files_that_are_renamed(self) -> None:
        """Logs go on under their names; where that cannot be, to the old file."""
        path = self.mktemp()
        os.mkdir(path)
        log, audit = os.path.join(path, "log"), os.path.join(path, "audit")
        options = Options()
        options.parent = {"logfile": log}
        files = _log_files(options, AuditSection(path=audit))
        events, _, trail = _descriptors(files)
        self.addCleanup(os.close, events)
        self.addCleanup(os.close, trail)
        os.rename(path, f"{path}.old")
        _reopen(files)  # the directory is gone
        os.write(events, b"1")
        os.mkdir(path)
        _reopen(files)
        os.write(events, b"2")
        os.write(trail, b"3")
        found = [f"{path}.old/log", log, audit]
        texts = [Path(name).read_text() for name in found]
        self.assertEqual(texts, ["1", "2", "3"])
        self.assertEqual(os.stat(audit).st_mode & 0o137, 0)
        self.assertFalse(os.get_inheritable(events))


class Reactor(MemoryReactorClock):
    """A reactor in memory that runs what others leave to it."""

    def callFromThread(self, work, *args, **named) -> None:
        work(*args, **named)


class HouseTests(SynchronousTestCase):
    """The tree of services."""

    def context(self, **config: object) -> Context:
        found, _ = read_config({"version": "0.1", "storage": "inmemory", **config})
        self.reactor = Reactor()
        return make_context(found, self.reactor, {}, lambda: 0.5)

    def test_starts_and_stops(self) -> None:
        """It listens when all has started, and leaves nothing behind."""
        given_up: list[bool] = []
        self.patch(DiskPool, "run", InlineDisk.run)
        context = self.context(
            http={"addr": "127.0.0.1:5000", "debug": {"addr": "[::1]:5001"}},
            proxy={"remoteurl": "http://x", "username": "u", "password": "p"},
        )
        registry, _ = build_registry(
            context, io.StringIO(), lambda: given_up.append(True)
        )
        registry.startService()
        ports = [entry[0] for entry in self.reactor.tcpServers]
        self.assertEqual(ports, [5001, 5000])
        self.assertEqual(given_up, [])
        self.reactor.advance(1)
        self.successResultOf(registry.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_credentials(self) -> None:
        """A helper, a pair, or none."""
        for proxy, expected in (
            ({"exec": {"command": "x"}}, "HelperCredentials"),
            ({"username": "u"}, "StaticCredentials"),
            ({}, "StaticCredentials"),
        ):
            context = self.context(proxy={"remoteurl": "http://x", **proxy})
            found = credentials(context.config.proxy, self.reactor)
            self.assertEqual(type(found).__name__, expected)

    def test_questions_to_the_cache_are_counted(self) -> None:
        """Where descriptors are cached, and nowhere else."""
        for cache, asked in (({}, 0), ({"blobdescriptor": "inmemory"}, 1)):
            context = self.context(storage={"inmemory": {}, "cache": cache})
            local = build_storage(context).local
            found = local.namespace.repository(RepositoryName("a"))
            blobs = self.successResultOf(found).blobs
            blobs.stat(digest=Digest.of(b"")).addErrback(lambda _: None)
            name = "registry_storage_cache_requests_total"
            self.assertEqual(context.metrics.registry.get_sample_value(name), asked)

    def test_addresses(self) -> None:
        """IPv4, IPv6, every address, a name for loopback."""
        for address, interface in (
            ("127.0.0.1:1", "127.0.0.1"),
            (":1", "::"),
            ("[::1]:1", "::1"),
            ("localhost:1", "127.0.0.1"),
            ("0.0.0.0:1", "0.0.0.0"),
        ):
            endpoint = tcp_endpoint(Clock(), address)
            self.assertEqual((endpoint._interface, endpoint._port), (interface, 1))

    def test_stale_socket(self) -> None:
        """A file that is no socket stays."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("x")
        remove_stale_socket(path)
        remove_stale_socket(path + ".none")
        with open(path) as file:
            self.assertEqual(file.read(), "x")

    def test_certificates_without_a_certificate(self) -> None:
        """A file that holds none is told by its name."""
        from txregistry.config.http import Tls

        path = self.mktemp()
        with open(path, "w") as file:
            file.write("nothing")
        with self.assertRaises(ValueError) as caught:
            make_options(Tls(certificate=path, key=path), ())
        self.assertIn(path, str(caught.exception))
