"""Make what a package offers, to see whether its parameters can be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.config.model import Config
from txregistry.flow.offered import Offered
from txregistry.storagedriver.offered import STORAGE_DRIVERS


class _NoDisk:
    """Refuses all work: who is made does nothing yet."""

    def run(self, *_: object) -> NoReturn:
        raise RuntimeError("nothing is to be read or written before the start")


def maker_problems(config: Config) -> list[str]:
    """Find parameters that a package's driver or controller does not take.

    Those of our own are known from the model, and are not made: one of them makes the
    file that it needs.

    :return: one line each, which begins with the key.
    """
    storage, auth = config.storage, config.auth
    return [
        *_problems("storage", STORAGE_DRIVERS, storage.driver, storage.parameters),
        *_problems("auth", ACCESS_CONTROLLERS, auth.controller, auth.parameters),
    ]


def _problems(
    kind: str, offered: Offered, name: str, parameters: Mapping[str, object]
) -> list[str]:
    if not name or name in offered.ours or name not in offered:
        return []
    # For packages of others only; ours are checked without Twisted.
    from twisted.internet.task import Clock

    section = f"{kind}.{name}"
    try:
        offered.load(name)(parameters, _NoDisk(), Clock())
    except (ValueError, OSError) as error:
        told = str(error)
    except Exception as error:
        # Such as a KeyError; its text alone would say little.
        told = f"cannot be made: {type(error).__name__}: {error}"
    else:
        return []
    return [told if told.startswith(section) else f"{section}: {told}"]
