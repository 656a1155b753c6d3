"""Reliance on names that a library promises nothing about.

The modules called ``*_private`` are the only ones that use such names, each of one
library, and give them names of ours. They say here, when they are imported, which names
they rely on: where one has gone, a limit of ours might be off without a sign of it, so
the process does not start.
"""

from __future__ import annotations


def require_names(owner: object, *names: str) -> None:
    """Check that an object of a library has each of these attributes.

    :raise ImportError: one is missing; says which.
    """
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        kind = owner if isinstance(owner, type) else type(owner)
        raise ImportError(
            f"{kind.__module__}.{kind.__qualname__} has no {', '.join(missing)}: "
            "this version of the library does not fit txregistry, whose limits would "
            "be off; install one that setup.py permits"
        )
