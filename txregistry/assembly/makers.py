"""Look at what packages offer: whether it is used, and takes its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import NoReturn, cast

from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.config.middleware import enabled
from txregistry.config.model import Config
from txregistry.flow.offered import Offered
from txregistry.middleware.offered import MIDDLEWARE
from txregistry.storagedriver.offered import STORAGE_DRIVERS
from txregistry.storagedriver.s3.settings import WITHOUT_BOTOCORE, read_settings


class _NoDisk:
    """Refuses all work: who is made does nothing yet."""

    def run(self, *_: object) -> NoReturn:
        raise RuntimeError("nothing is to be read or written before the start")


def maker_problems(config: Config) -> list[str]:
    """Find parameters that a package's driver or controller does not take.

    Those of our own are known from the model, and are not made: one of them makes the
    file that it needs. That for S3 needs a package, and keys that go together.

    :return: one line each, which begins with the key.
    """
    storage, auth = config.storage, config.auth
    return [
        *(s3_problems(storage.parameters) if storage.driver == "s3" else ()),
        *_problems("storage", STORAGE_DRIVERS, storage.driver, storage.parameters),
        *_problems("auth", ACCESS_CONTROLLERS, auth.controller, auth.parameters),
        *_middleware_problems(config),
    ]


def maker_warnings(config: Config) -> list[str]:
    """Find packages that offer what is configured under a name that is ours.

    :return: one line each, which begins with the key.
    """
    driver, controller = config.storage.driver, config.auth.controller
    named = [
        (f"storage.{driver}", STORAGE_DRIVERS, driver),
        (f"auth.{controller}", ACCESS_CONTROLLERS, controller),
        *(
            (f"{path}.name", MIDDLEWARE, f"{kind}.{item.name}")
            for kind, path, item in enabled(config.middleware)
        ),
    ]
    return [
        f"{key}: is txregistry's own; that of {package} is not used"
        for key, offered, name in named
        for package in offered.rivals(name)
    ]


def s3_problems(parameters: Mapping[str, object]) -> list[str]:
    """Find what the S3 driver does not take; imports nothing that is large."""
    try:
        read_settings(parameters)
    except ValueError as error:
        return [str(error)]
    return [] if find_spec("botocore") else [WITHOUT_BOTOCORE]


def _problems(
    kind: str, offered: Offered, name: str, parameters: Mapping[str, object]
) -> list[str]:
    if not name or name in offered.ours or name not in offered:
        return []
    # For packages of others only; ours are checked without Twisted.
    from twisted.internet.task import Clock

    def make() -> object:
        return offered.load(name)(parameters, _NoDisk(), Clock())

    return _complaints(make, f"{kind}.{name}")


def _middleware_problems(config: Config) -> list[str]:
    """Find middleware that nobody offers, or that does not take its options."""
    listed = [*enabled(config.middleware)]
    if not listed:
        return []
    # For those alone who have some.
    from twisted.internet.task import Clock

    from txregistry.interfaces.middleware import Services
    from txregistry.middleware.maker import make_middleware

    clock, problems = Clock(), []
    services = Services(clock, clock, _NoDisk().run, lambda service: None)
    for kind, path, item in listed:
        options = cast("Mapping[str, object]", item.options or {})
        make = partial(make_middleware, kind, item.name, options, services)
        problems += _complaints(make, path)
    return problems


#: How a complaint begins that is about a key of the section.
_KEY = re.compile(r"(name|options(\.[\w.\[\]]+)?): ")


def complaint(section: str, told: str) -> str:
    """Give what a maker complains of, beginning with the key."""
    if told.startswith(section):
        return told
    return f"{section}.{told}" if _KEY.match(told) else f"{section}: {told}"


def _complaints(make: Callable[[], object], section: str) -> list[str]:
    """Make something, and give what its maker complains of."""
    try:
        make()
    except (ValueError, OSError) as error:
        told = str(error)
    except Exception as error:
        # Such as a KeyError; its text alone would say little.
        told = f"cannot be made: {type(error).__name__}: {error}"
    else:
        return []
    return [complaint(section, told)]
