"""Makes the driver of a section."""

from __future__ import annotations

import random
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime

from txregistry.flow.disk import Disk
from txregistry.storagedriver.s3.driver import S3Driver
from txregistry.storagedriver.s3.gathering import parts_budget
from txregistry.storagedriver.s3.parts import make_parts
from txregistry.storagedriver.s3.settings import read_settings


def make_s3(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> S3Driver:
    """Make it; nothing is asked yet.

    :raise ValueError: the section cannot be used; the message begins with its key.
    """
    settings = read_settings(parameters)
    parts = make_parts(settings, disk, clock, random.random)
    return S3Driver(parts, disk, clock, parts_budget(settings.chunksize))
