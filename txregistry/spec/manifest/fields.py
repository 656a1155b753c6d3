"""Typed access to the fields of an untrusted JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from txregistry.spec.descriptor import Descriptor, Platform
from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid, ManifestInvalid
from txregistry.spec.mediatypes import OCTET_STREAM
from txregistry.spec.nesting import read_json

#: Sizes are signed 64-bit integers (OCI image-spec, "Descriptors").
MAX_SIZE = 2**63 - 1

Document = Mapping[str, object]


def load(content: bytes) -> Document:
    """Parse a JSON object (RFC 8259); ``NaN`` and ``Infinity`` are refused.

    :raise ManifestInvalid: it is no JSON object, not in UTF-8, or exceeds the limits of
        :func:`txregistry.spec.nesting.read_json`.
    """
    try:
        document = read_json(content.decode("utf-8"), parse_constant=_refuse_constant)
    except ValueError as error:
        raise ManifestInvalid({"expected": "a JSON document"}) from error
    return as_mapping(document, "document")


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is no number")


def as_mapping(value: object, where: str) -> Document:
    """Return a value that must be an object.

    :param where: the field's name, for the error; so in all functions here.
    :raise ManifestInvalid: it is not one.
    """
    if not isinstance(value, dict):
        raise ManifestInvalid({"field": where, "expected": "an object"})
    return value


def as_list(value: object, where: str) -> Sequence[object]:
    """Return a value that must be a list; absent and null are empty.

    :raise ManifestInvalid: it is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ManifestInvalid({"field": where, "expected": "a list"})
    return value


def as_text(value: object, where: str) -> str:
    """Return a value that must be a string; absent and null are empty.

    :raise ManifestInvalid: it is something else, or has a lone surrogate, which JSON
        can express but UTF-8 cannot.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or not _is_encodable(value):
        raise ManifestInvalid({"field": where, "expected": "text"})
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def as_size(value: object, where: str) -> int:
    """Return a value that must be a size in bytes.

    :raise ManifestInvalid: it is no integer from 0 to :data:`MAX_SIZE`.
    """
    # In Python a bool is an int, in JSON it is not.
    if isinstance(value, bool) or not isinstance(value, int):
        raise ManifestInvalid({"field": where, "expected": "a size in bytes"})
    if not 0 <= value <= MAX_SIZE:
        raise ManifestInvalid({"field": where, "expected": "a size in bytes"})
    return value


def as_digest(value: object, where: str) -> Digest:
    """Return a value that must be a digest.

    :raise ManifestInvalid: it is not one.
    """
    try:
        return Digest.parse(as_text(value, where))
    except DigestInvalid as error:
        raise ManifestInvalid({"field": where, "expected": "a digest"}) from error


def as_descriptor(value: object, where: str) -> Descriptor:
    """Return a value that must be a descriptor.

    :raise ManifestInvalid: a field is missing or malformed.
    """
    fields = as_mapping(value, where)
    urls = as_list(fields.get("urls"), f"{where}.urls")
    return Descriptor(
        digest=as_digest(fields.get("digest"), f"{where}.digest"),
        size=as_size(fields.get("size"), f"{where}.size"),
        media_type=as_text(fields.get("mediaType"), f"{where}.mediaType")
        or OCTET_STREAM,
        urls=tuple(as_text(url, f"{where}.urls") for url in urls),
        platform=as_platform(fields.get("platform"), f"{where}.platform"),
    )


def as_platform(value: object, where: str) -> Platform | None:
    """Return the platform of an index's child; ``None`` if absent or null.

    :raise ManifestInvalid: it is malformed.
    """
    if value is None:
        return None
    fields = as_mapping(value, where)
    variant = fields.get("variant")
    return Platform(
        as_text(fields.get("architecture"), f"{where}.architecture"),
        as_text(fields.get("os"), f"{where}.os"),
        variant if isinstance(variant, str) else "",
    )


def descriptors(value: object, where: str) -> tuple[Descriptor, ...]:
    """Return a value that must be a list of descriptors; absent and null are empty.

    :raise ManifestInvalid: it is no list, or an element is no descriptor.
    """
    return tuple(
        as_descriptor(item, f"{where}[{index}]")
        for index, item in enumerate(as_list(value, where))
    )


def as_annotations(value: object, where: str) -> dict[str, str]:
    """Return a value that must map strings to strings; absent and null are empty.

    :raise ManifestInvalid: it is something else, or has a lone surrogate.
    """
    if value is None:
        return {}
    fields = as_mapping(value, where)
    return {
        as_text(name, where): as_text(item, f"{where}.{name}")
        for name, item in fields.items()
    }


def string_entries(value: object) -> dict[str, str]:
    """Return the entries of an object that are strings; empty for any other value."""
    found = value if isinstance(value, dict) else {}
    return {
        name: item
        for name, item in found.items()
        if isinstance(item, str) and _is_encodable(item) and _is_encodable(name)
    }


def optional_descriptor(value: object, where: str) -> Descriptor | None:
    """Return a descriptor; ``None`` if absent or null.

    :raise ManifestInvalid: it is malformed.
    """
    return None if value is None else as_descriptor(value, where)
