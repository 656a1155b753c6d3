"""How a key of the configuration is declared: one place for all that is known of it.

The reader, the check, the printer, the JSON schema and the reference pages take what
they know of a key from here (:mod:`txregistry.config.table` lists all of them).
"""

from __future__ import annotations

from typing import Any

import attrs

_DECLARED = "declared"

#: ``since`` of a key that Docker distribution does not have.
OURS = "txregistry"

#: ``restart`` of a key that takes effect by a reload although its section does not.
LIVE = "live"


@attrs.frozen
class Declared:
    """What is known of a key beside its name, its type and its default.

    :ivar doc: a sentence.
    :ivar since: the first release of distribution that has it, or :data:`OURS`.
    :ivar until: the last one, if it was removed.
    :ivar unit: of a number.
    :ivar unset: what the default stands for, where its value does not say it.
    :ivar choices: all values of a text, or of each text of a list.
    :ivar minimum: of a number.
    :ivar restart: why a change takes effect at a restart only; empty where the section
        decides, or a reload is enough.
    :ivar no_effect: why it is accepted without effect.
    :ivar newer: the path of the key that took its place.
    :ivar is_secret: its value is never printed.
    :ivar in_file: it has a twin that names a file with its value.
    :ivar is_url: the URL of a service, which may hold a token.
    :ivar is_path: names a file, or files, that systemd may provide as credentials.
    :ivar like: of a mapping to sections: the path of the section whose keys they have.
    """

    doc: str = ""
    since: str = OURS
    until: str = ""
    unit: str = ""
    unset: str = ""
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    restart: str = ""
    no_effect: str = ""
    newer: str = ""
    is_secret: bool = False
    in_file: bool = False
    is_url: bool = False
    is_path: bool = False
    like: str = ""


_NOTHING = Declared()


def declared(field: attrs.Attribute[Any]) -> Declared:
    """Give what is known of a key."""
    found: Declared = field.metadata.get(_DECLARED, _NOTHING)
    return found


def setting(default: Any, doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare a key; the other arguments are those of :class:`Declared`.

    :param default: ``attrs.NOTHING`` if the key is required.
    """
    return attrs.field(
        default=default, metadata={_DECLARED: Declared(doc, since, **known)}
    )


def required(doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare a key without a default."""
    return setting(attrs.NOTHING, doc, since, **known)


def secret(default: Any, doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare a key whose value is never printed, and may be in a file."""
    return setting(default, doc, since, is_secret=True, in_file=True, **known)


def from_file(default: Any, doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare a key that is no secret but may be in a file, like its secret."""
    return setting(default, doc, since, in_file=True, **known)


def service_url(doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare the URL of a service, which may hold a token, and may be in a file."""
    return required(doc, since, is_url=True, in_file=True, **known)


def file_path(default: Any, doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare the path of a file, or a list of such."""
    return setting(default, doc, since, is_path=True, **known)


def section(cls: type, doc: str, since: str = OURS, **known: Any) -> Any:
    """Declare an optional section; a missing one has its defaults."""
    return setting(attrs.Factory(cls), doc, since, **known)


def no_effect(why: str, doc: str, since: str, default: Any = None, **known: Any) -> Any:
    """Declare a key of distribution that is accepted without effect, with a reason."""
    return setting(default, doc, since, no_effect=why, **known)
