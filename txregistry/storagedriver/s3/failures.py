"""What the store says, as errors of a driver."""

from __future__ import annotations

from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.storagedriver.s3.answers import BadAnswer
from txregistry.storagedriver.s3.request import Refused, StoreUnreachable
from txregistry.storagedriver.s3.signing import KeysMissing

NAME = "s3"

#: What all that asks the store fails with.
FAILURES = (Refused, StoreUnreachable, BadAnswer, KeysMissing)


def as_driver_error(path: str, error: BaseException | None) -> DriverError:
    """Give the error of a driver; clients see its reason, which has no secrets."""
    if isinstance(error, DriverError):
        return error
    if not isinstance(error, Refused):
        return DriverError(NAME, path, str(error))
    if error.is_missing:
        return PathNotFound(NAME, path)
    region = error.headers.get("x-amz-bucket-region", "")
    if error.failed.status in (301, 307, 400) and region:
        return DriverError(NAME, path, f"{error}; the bucket's region is {region}")
    return DriverError(NAME, path, str(error))
