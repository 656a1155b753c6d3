"""Which paths can be part of distribution's tree; any other is foreign.

People keep registries on all kinds of disks: ``lost+found``, ``@eaDir``, ``.snapshot``
or ``.Trash-0`` may be in any directory, and may not even be readable.
"""

from __future__ import annotations

import re

from txregistry.spec.digest import HEX_LENGTHS
from txregistry.spec.reference import is_name_prefix
from txregistry.storage.tree import layout

_ALGORITHM = "|".join(HEX_LENGTHS)
_DIGEST = rf"(?:/(?:{_ALGORITHM})(?:/[0-9a-f]{{64,}}{{below}})?)?"
_LINK = _DIGEST.replace("{below}", "(?:/link)?")
_REVISION = _DIGEST.replace("{below}", rf"(?:/link|/signatures{_LINK})?")
_TAG = (
    r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(?:/current(?:/link)?|/index"
    + _LINK
    + ")?)?"
)

#: What a repository holds, below its name.
_HELD = re.compile(
    rf"/_layers{_LINK}"
    rf"|/_manifests(?:/revisions{_REVISION}|/tags{_TAG})?"
    r"|/_uploads"
)
_BLOB = re.compile(
    rf"(?:/(?:{_ALGORITHM})(?:/[0-9a-f]{{2}}(?:/[0-9a-f]{{64,}}(?:/data)?)?)?)?"
)


def is_ours(path: str) -> bool:
    """Tell whether a path below ``blobs`` or ``repositories`` can be part of the tree.

    Directories of uploads do not count: they hold no links.
    """
    if path.startswith(layout.BLOBS):
        return _BLOB.fullmatch(path, len(layout.BLOBS)) is not None
    if not path.startswith(layout.REPOSITORIES):
        return False
    name, mark, held = path[len(layout.REPOSITORIES) :].partition("/_")
    if name and not is_name_prefix(name.removeprefix("/")):
        return False
    return not mark or _HELD.fullmatch(mark + held) is not None
