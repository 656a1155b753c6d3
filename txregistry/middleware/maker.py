"""Make middleware by its kind and name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from txregistry.interfaces.middleware import (
    IRegistryMiddleware,
    IRepositoryMiddleware,
    IStorageMiddleware,
    Services,
)
from txregistry.middleware.offered import MIDDLEWARE

#: What a maker of each kind gives.
KINDS: Mapping[str, Any] = {
    "registry": IRegistryMiddleware,
    "repository": IRepositoryMiddleware,
    "storage": IStorageMiddleware,
}

Maker = Callable[[Mapping[str, Any], Services], object]


def make_middleware(
    kind: str, name: str, options: Mapping[str, Any], services: Services
) -> Any:
    """Make a middleware; the package that has it is imported only now.

    :return: provides the interface of its kind.
    :raise ValueError: nobody offers it, or its options cannot be used.
    :raise OSError: a file that it needs cannot be read.
    """
    full_name = f"{kind}.{name}"
    if full_name not in MIDDLEWARE:
        raise ValueError(f"name: {_expected(kind)}")
    made = cast(Maker, MIDDLEWARE.load(full_name))(options, services)
    if not KINDS[kind].providedBy(made):
        raise ValueError(f"name: {name!r} gives no {KINDS[kind].__name__}")
    return made


def _expected(kind: str) -> str:
    start = f"{kind}."
    names = [name.removeprefix(start) for name in MIDDLEWARE if name.startswith(start)]
    if not names:
        return f"no installed package offers middleware for {kind}"
    return f"expected {' or '.join(sorted(names))}"
