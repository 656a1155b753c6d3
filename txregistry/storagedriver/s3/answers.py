"""What the store answers: its documents, as values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import attrs


class BadAnswer(Exception):
    """An answer is not what it has to be."""


@attrs.frozen
class Failed:
    """A refusal.

    :ivar code: as the store calls it; empty if it did not say, as for a HEAD.
    """

    status: int
    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        told = ": ".join(text for text in (self.code, self.message) if text)
        return f"{self.status} {told}".strip()


@attrs.frozen
class Object:
    """One object of a list."""

    key: str
    size: int
    modified_at: float


@attrs.frozen
class ObjectPage:
    """A page of a list of objects.

    :ivar prefixes: common ones, up to the delimiter.
    :ivar token: of the next page; empty after the last one.
    """

    objects: tuple[Object, ...]
    prefixes: tuple[str, ...]
    token: str


@attrs.frozen
class Part:
    """A part of a file that is not complete.

    :ivar number: from 1 on.
    """

    number: int
    etag: str
    size: int
    modified_at: float = 0.0


@attrs.frozen
class Begun:
    """An upload in parts that was neither completed nor given up."""

    key: str
    upload_id: str
    begun_at: float


@attrs.frozen
class PartsPage:
    """A page of the parts of one upload.

    :ivar marker: of the next page; empty after the last one.
    """

    found: tuple[Part, ...]
    marker: str


@attrs.frozen
class UploadsPage:
    """A page of uploads.

    :ivar markers: of the next page, for key and upload; ``None`` after the last one.
    """

    found: tuple[Begun, ...]
    markers: tuple[str, str] | None


def read_failure(status: int, body: bytes) -> Failed:
    """Read a refusal, whoever wrote it."""
    try:
        root = _parsed(body)
    except BadAnswer:
        return Failed(status)
    return Failed(status, _text(root, "Code"), _text(root, "Message")[:200])


def read_page(body: bytes) -> ObjectPage:
    """Read a list of objects. Keys that end in a slash are folders of consoles.

    :raise BadAnswer: it is none.
    """
    root = _root(body, "ListBucketResult")
    plain = _decoder(root)
    objects = tuple(
        Object(
            plain(_text(item, "Key")),
            int(_text(item, "Size") or 0),
            read_time(_text(item, "LastModified")),
        )
        for item in root.iter("Contents")
    )
    prefixes = (_text(item, "Prefix") for item in root.iter("CommonPrefixes"))
    return ObjectPage(
        tuple(item for item in objects if not item.key.endswith("/")),
        tuple(plain(prefix) for prefix in prefixes),
        _next(root, "NextContinuationToken"),
    )


def read_parts(body: bytes) -> PartsPage:
    """Read a list of parts.

    :raise BadAnswer: it is none.
    """
    root = _root(body, "ListPartsResult")
    found = tuple(
        Part(
            int(_text(item, "PartNumber")),
            _text(item, "ETag"),
            int(_text(item, "Size")),
            read_time(_text(item, "LastModified")),
        )
        for item in root.iter("Part")
    )
    return PartsPage(found, _next(root, "NextPartNumberMarker"))


def read_uploads(body: bytes) -> UploadsPage:
    """Read a list of uploads in parts.

    :raise BadAnswer: it is none.
    """
    root = _root(body, "ListMultipartUploadsResult")
    plain = _decoder(root)
    found = tuple(
        Begun(
            plain(_text(item, "Key")),
            _text(item, "UploadId"),
            read_time(_text(item, "Initiated")),
        )
        for item in root.iter("Upload")
    )
    key = _next(root, "NextKeyMarker")
    upload = _next(root, "NextUploadIdMarker")
    return UploadsPage(found, (plain(key), upload) if key else None)


def read_upload_id(body: bytes) -> str:
    """Read the name of an upload that has just begun.

    :raise BadAnswer: there is none.
    """
    found = _text(_root(body, "InitiateMultipartUploadResult"), "UploadId")
    if not found:
        raise BadAnswer("an upload without a name")
    return found


def read_etag(body: bytes, kind: str) -> str:
    """Read the entity tag of a copy.

    :param kind: ``CopyObjectResult`` or ``CopyPartResult``.
    :raise BadAnswer: there is none.
    """
    found = _text(_root(body, kind), "ETag")
    if not found:
        raise BadAnswer("a copy without an entity tag")
    return found


def late_failure(body: bytes, kind: str) -> Failed | None:
    """Find the failure of a long operation, which is told after a status of 200.

    An answer of which it cannot be told that it is good is a failure, which passes.

    :param kind: of the document that a good answer is.
    """
    try:
        root = _parsed(body)
    except BadAnswer as error:
        return Failed(500, "", str(error))
    if root.tag == kind:
        return None
    if root.tag != "Error":
        return Failed(500, "", f"expected {kind}, found {root.tag}")
    code = _text(root, "Code")
    return Failed(_late_status(code), code, _text(root, "Message")[:200])


#: Statuses of failures that are told by their codes alone; others are 500.
_LATE_STATUSES = {
    "AccessDenied": 403,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRequest": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}


def _late_status(code: str) -> int:
    return _LATE_STATUSES.get(code, 500)


#: The kind of document that says what was deleted.
DELETED = "DeleteResult"


def not_deleted(body: bytes) -> Iterable[tuple[str, Failed]]:
    """Find the objects that could not be deleted, by their keys.

    :raise BadAnswer: it is no such document.
    """
    for item in _root(body, DELETED).iter("Error"):
        code = _text(item, "Code")
        if code != "NoSuchKey":
            failed = Failed(_late_status(code), code, _text(item, "Message")[:200])
            yield _text(item, "Key"), failed


def completion(parts: Iterable[Part]) -> bytes:
    """Write what completes an upload."""
    root = ET.Element("CompleteMultipartUpload")
    root.set("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/")
    for part in parts:
        item = ET.SubElement(root, "Part")
        ET.SubElement(item, "PartNumber").text = str(part.number)
        ET.SubElement(item, "ETag").text = part.etag
    return ET.tostring(root)


def deletion(keys: Iterable[str]) -> bytes:
    """Write what deletes objects."""
    root = ET.Element("Delete")
    root.set("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/")
    ET.SubElement(root, "Quiet").text = "true"
    for key in keys:
        item = ET.SubElement(root, "Object")
        ET.SubElement(item, "Key").text = key
    return ET.tostring(root)


def read_time(text: str) -> float:
    """Read a time of a document or of a header; 0 if it cannot be read."""
    try:
        return _moment(text).timestamp()
    except (ValueError, TypeError):
        return 0.0


def _moment(text: str) -> datetime:
    """Read a time of ISO 8601, or of mail; without a zone it is UTC."""
    is_iso = text[:1].isdigit()
    found = datetime.fromisoformat(text) if is_iso else parsedate_to_datetime(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _parsed(body: bytes) -> ET.Element:
    try:
        # White space says that the store is at work; it may come before all else.
        root = ET.fromstring(body.strip())  # noqa: S314 - expat is safe since 2.4
    except ET.ParseError as error:
        raise BadAnswer(f"not a document: {error}") from error
    for item in root.iter():
        # Servers differ in whether they name the space.
        item.tag = re.sub(r"\{.*\}", "", item.tag)
    return root


def _root(body: bytes, kind: str) -> ET.Element:
    root = _parsed(body)
    if root.tag != kind:
        raise BadAnswer(f"expected {kind}, found {root.tag}")
    return root


def _text(item: ET.Element, name: str) -> str:
    return item.findtext(name) or ""


def _next(root: ET.Element, name: str) -> str:
    """Give where the next page begins; empty after the last one.

    :raise BadAnswer: there is more, and it is not said where: what is believed not to
        be there might be deleted.
    """
    if _text(root, "IsTruncated").lower() != "true":
        return ""
    found = _text(root, name)
    if not found:
        raise BadAnswer(f"a page of a list without {name}")
    return found


def _decoder(root: ET.Element) -> Callable[[str], str]:
    return unquote_plus if _text(root, "EncodingType") == "url" else str
