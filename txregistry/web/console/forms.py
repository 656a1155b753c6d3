"""Actions as forms: their fields, and the options that these stand for (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from txregistry.spec.errors import BadRequest
from txregistry.spec.imagename import ImageName


@attrs.frozen
class Field:
    """A field of a form.

    :ivar kind: ``lines``, ``text`` or ``flag``.
    :ivar names: what it names: ``images``, ``tags`` alone, a ``pattern`` of images, or
        nothing.
    """

    name: str
    label: str
    kind: str
    hint: str = ""
    names: str = ""


@attrs.frozen
class ActionForm:
    """An action as it is offered on a page.

    :ivar command: what it runs.
    :ivar fixed: options that the form itself decides.
    """

    name: str
    command: str
    title: str
    says: str
    fields: tuple[Field, ...] = ()
    fixed: Mapping[str, Any] = attrs.field(factory=dict)


_IMAGES = Field(
    "images", "Images", "lines", "one in a line, such as docker.io/nginx:1", "images"
)
_TAGS = attrs.evolve(_IMAGES, names="tags")
_PLATFORMS = Field(
    "platforms", "Platforms", "lines", "one in a line; none for all that there are"
)
_PATTERN = Field(
    "pattern", "Images", "text", "a pattern, such as docker.io/library/*", "pattern"
)

FORMS: Sequence[ActionForm] = (
    ActionForm(
        "warm",
        "warm",
        "Warm",
        "Fetch all of some images, so that they are here before anybody asks.",
        (_IMAGES, _PLATFORMS),
    ),
    ActionForm(
        "refresh",
        "refresh",
        "Refresh",
        "Ask upstream now what tags stand for.",
        (_TAGS,),
    ),
    ActionForm(
        "purge",
        "purge",
        "Purge",
        "Remove images, and what nothing else needs of them.",
        (_IMAGES,),
    ),
    ActionForm(
        "pin", "pin", "Pin", "Keep images, whatever room is needed.", (_PATTERN,)
    ),
    ActionForm(
        "unpin", "unpin", "Unpin", "Let images go when room is needed.", (_PATTERN,)
    ),
    ActionForm(
        "verify", "verify", "Verify", "Read all that is stored, and set aside damage."
    ),
    ActionForm(
        "collect",
        "collect",
        "Collect",
        "Delete content that nothing refers to.",
        (Field("delete_untagged", "Manifests without a tag as well", "flag"),),
    ),
    ActionForm(
        "offline",
        "offline",
        "Go offline",
        "Ask no upstream anything; serve what is here.",
        fixed={"on": True},
    ),
    ActionForm(
        "online",
        "offline",
        "Go online",
        "Ask upstreams again.",
        fixed={"on": False},
    ),
)


def form_of(name: str) -> ActionForm:
    """Return the form of an action.

    :raise BadRequest: there is none of this name.
    """
    for form in FORMS:
        if form.name == name:
            return form
    raise BadRequest({"action": name})


def about(form: ActionForm, image: ImageName) -> dict[str, str]:
    """Return the fields of a form that name an image; none if it cannot be about it."""
    by_digest = image.digest is not None
    named = {
        "images": str(image),
        "tags": "" if by_digest else str(image),
        # With a digest the tag says nothing: see :class:`ImagePattern`.
        "pattern": f"{image.repository}@{image.digest}" if by_digest else str(image),
    }
    found = {field.name: named.get(field.names, "") for field in form.fields}
    return {name: value for name, value in found.items() if value}


def options_of(form: ActionForm, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the fields of a form stand for."""
    options: dict[str, Any] = dict(form.fixed)
    for field in form.fields:
        given = str(fields.get(field.name, ""))
        if field.kind == "lines":
            options[field.name] = given.split()
        elif field.kind == "flag":
            options[field.name] = bool(given)
        else:
            options[field.name] = given.strip()
    return options
