"""One request of a scenario, and what is remembered from its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import attrs


@attrs.frozen
class Step:
    """A request that is sent to both registries.

    :ivar name: by which a difference is listed.
    :ivar path: with ``{name}`` for what an earlier step kept.
    :ivar keep: remember the Location under this name: ``{name}`` is its path with
        the query, ``{name.path}`` without, ``{name.id}`` the last segment and
        ``{name.state}`` its ``_state``.
    :ivar chunked: send the body in chunks, of no announced length.
    """

    name: str
    method: str
    path: str
    headers: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    body: bytes | None = None
    keep: str = ""
    chunked: bool = False


def step(
    name: str,
    request: str,
    body: bytes | None = None,
    keep: str = "",
    chunked: bool = False,
    **headers: str | Sequence[str],
) -> Step:
    """Write a step: ``request`` is the method and the path."""
    method, _, path = request.partition(" ")
    given = {
        key.replace("_", "-"): [value] if isinstance(value, str) else value
        for key, value in headers.items()
    }
    return Step(name, method, path, given, body, keep, chunked)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def push(name: str, repository: str, content: bytes) -> list[Step]:
    """Push a blob in two steps."""
    digest = quote(digest_of(content), safe="")
    return [
        step(f"{name}-begin", f"POST /v2/{repository}/blobs/uploads/", keep=name),
        step(f"{name}-put", f"PUT {{{name}}}&digest={digest}", content),
    ]
