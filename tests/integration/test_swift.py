"""OpenStack Swift: the driver's contract, and daemons; ``make swift-test`` runs it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import test_s3
from tests.integration.store import ObjectStore
from tests.integration.swift import shared_swift
from tests.integration.test_s3_driver import WaitingCase, make_on
from txregistry.interfaces.driver import IStorageDriver
from txregistry.testing.drivers import driver_suite


def on_swift(test: SynchronousTestCase) -> IStorageDriver:
    return make_on(shared_swift(), test)


class S3OverSwift(
    WaitingCase,
    driver_suite(on_swift, is_tree=False, many=60),  # type: ignore[misc]
):
    """The contract of storage drivers, on Swift."""


class SwiftTests(test_s3.S3Tests):
    """What clients see of a registry on Swift."""

    def shared_store(self) -> ObjectStore:
        return shared_swift()


class SwiftFaultTests(test_s3.S3FaultTests):
    """What clients see when Swift fails."""

    def shared_store(self) -> ObjectStore:
        return shared_swift()
