"""What is read of a request: its query, its form or its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import TooLong
from txregistry.spec.errors import BadRequest
from txregistry.spec.nesting import read_json
from txregistry.web.http.request import RegistryRequest

#: Bytes of a body, and of one parameter.
MAX_BODY, MAX_TEXT = 64 * 1024, 1024

#: Digits of a number.
_DIGITS = 15

JSON = "application/json"


def text_of(request: RegistryRequest, name: str, default: str = "") -> str:
    """Return a parameter of the query.

    :raise BadRequest: it is too long.
    """
    found = request.query(name)
    if found is not None and len(found) > MAX_TEXT:
        raise BadRequest({name: f"longer than {MAX_TEXT} characters"})
    return default if found is None else found.strip()


def choice_of(request: RegistryRequest) -> tuple[Sequence[str], str, int]:
    """Return the kinds of events that are asked for, a text, and before which.

    :raise BadRequest: one of them is malformed.
    """
    before = text_of(request, "before", "0")
    if not (before.isascii() and before.isdigit()) or len(before) > _DIGITS:
        raise BadRequest({"before": "expected a number"})
    return request.queries("kind"), text_of(request, "text"), int(before)


@deferred
async def body_of(request: RegistryRequest) -> Mapping[str, Any]:
    """Fire with what a body says: an object of JSON, or the fields of a form.

    Of a field that stands there several times it is the last one. Fails with
    ``BadRequest`` for a body that is too long, or malformed.
    """
    try:
        content: bytes = await request.body.collect(MAX_BODY)
    except TooLong as error:
        raise BadRequest({"body": f"longer than {MAX_BODY} bytes"}) from error
    if is_json(request):
        return _object(content)
    try:
        fields = parse_qs(content.decode("utf-8", "replace"), max_num_fields=100)
    except ValueError as error:
        raise BadRequest({"body": str(error)}) from error
    return {name: values[-1] for name, values in fields.items()}


def is_json(request: RegistryRequest) -> bool:
    """Tell whether a body is JSON; a form is not, as browsers send it."""
    return request.header("Content-Type").partition(";")[0].strip() == JSON


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = read_json(content, parse_constant=_refuse)
    except ValueError as error:
        raise BadRequest({"body": f"no JSON: {error}"}) from error
    if not isinstance(found, dict):
        raise BadRequest({"body": "expected an object"})
    return found
