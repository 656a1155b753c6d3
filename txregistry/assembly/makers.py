"""Make what a package offers, to see whether its parameters can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txregistry.auth.maker import known_controllers, make_controller
from txregistry.config.access import CONTROLLERS
from txregistry.config.model import Config
from txregistry.config.storage import DRIVERS
from txregistry.storagedriver.maker import known_drivers, make_driver

T = TypeVar("T")


class _NoDisk:
    """Refuses all work: who is made does nothing yet."""

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        raise RuntimeError("nothing is to be read or written before the start")


def maker_problems(config: Config) -> list[str]:
    """Find parameters that a package's driver or controller does not take.

    Those of our own are known from the model, and are not made: one of them makes the
    file that it needs.

    :return: one line each, which begins with the key.
    """
    problems = []
    storage, auth = config.storage, config.auth
    if storage.driver in known_drivers() - set(DRIVERS):
        section = f"storage.{storage.driver}"
        problems += _made(make_driver, storage.driver, storage.parameters, section)
    if auth.controller in known_controllers() - set(CONTROLLERS):
        section = f"auth.{auth.controller}"
        problems += _made(make_controller, auth.controller, auth.parameters, section)
    return problems


def _made(
    make: Callable[..., object],
    name: str,
    parameters: Mapping[str, object],
    section: str,
) -> list[str]:
    try:
        make(name, parameters, _NoDisk(), Clock())
    except (ValueError, OSError) as error:
        told = str(error)
    except Exception as error:
        # Such as a KeyError; its text alone would say little.
        told = f"cannot be made: {type(error).__name__}: {error}"
    else:
        return []
    return [told if told.startswith(section) else f"{section}: {told}"]
