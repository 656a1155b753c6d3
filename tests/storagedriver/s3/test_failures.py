"""Errors of the driver."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.storagedriver.s3.answers import BadAnswer, Failed
from txregistry.storagedriver.s3.failures import as_driver_error
from txregistry.storagedriver.s3.request import Refused


class FailureTests(SynchronousTestCase):
    """What the store says, in our words."""

    def test_kinds(self) -> None:
        """Each has the path, and a reason."""
        error = as_driver_error("/a", BadAnswer("odd"))
        self.assertEqual((error.driver, error.path, error.reason), ("s3", "/a", "odd"))
        self.assertIs(as_driver_error("/b", error), error)
        missing = as_driver_error("/a", Refused(Failed(404, "NoSuchKey"), {}))
        self.assertIsInstance(missing, PathNotFound)
        bucket = as_driver_error("/a", Refused(Failed(404, "NoSuchBucket"), {}))
        self.assertNotIsInstance(bucket, PathNotFound)
        self.assertIsInstance(bucket, DriverError)
