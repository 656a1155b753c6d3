"""Checks of the private names of other libraries that we use.

Only the modules called ``*_private`` use such names, each those of one library, behind
functions of their own. They check the names when they are imported: without one of them
a limit might silently not apply, so the process must not start.
"""

from __future__ import annotations


def require_names(owner: object, *names: str) -> None:
    """Check that an object of a library has each of these attributes.

    :raise ImportError: an attribute is missing; the message names it.
    """
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        kind = owner if isinstance(owner, type) else type(owner)
        raise ImportError(
            f"{kind.__module__}.{kind.__qualname__} has no {', '.join(missing)}: "
            "txregistry's limits would not work with this version of the library; "
            "install one that setup.py permits"
        )
