"""Plays a scenario on one registry, and says what of the answers can be compared.

What differs from run to run (ids, states, boundaries, ports) is masked; what is a
registry's own wording (messages and details of errors) is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tests.integration.scenarios.asking import Answer, ask
from tests.integration.scenarios.content import NAMES, SCHEMA1
from tests.integration.scenarios.step import Step, digest_of

#: What is compared, by the name under which a difference is listed.
Seen = Mapping[str, Any]

#: Headers that are compared as they are.
_PLAIN = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Range",
    "Docker-Content-Digest",
    "Docker-Distribution-Api-Version",
    "ETag",
    "Link",
    "OCI-Filters-Applied",
    "OCI-Subject",
    "OCI-Tag",
    "Range",
    "WWW-Authenticate",
    "X-Content-Type-Options",
)

_KEPT = re.compile(r"\{([a-z0-9-]+(?:\.[a-z]+)?)\}")
_ID = re.compile(r"/uploads/[^/?]+")
_DIGEST = re.compile(r"sha\d+:[0-9a-f]+")
_STATE = re.compile(r"_state=[^&]+")


@attrs.define(eq=False)
class Player:
    """One registry, and what its answers so far have said.

    :ivar port: on the loopback interface.
    """

    port: int
    _kept: dict[str, str] = attrs.field(factory=dict)

    async def play(self, steps: Iterable[Step]) -> dict[str, Seen]:
        """Send each request in turn; give what was seen by the steps' names."""
        return {step.name: await self._take(step) for step in steps}

    async def _take(self, step: Step) -> Seen:
        path = _KEPT.sub(lambda match: self._kept[match[1]], step.path)
        answer = await ask(self.port, step, path)
        if step.keep:
            self._keep(step.keep, answer.header("Location"))
        return self._see(step, answer)

    def _keep(self, name: str, location: str | None) -> None:
        path = (location or "/nowhere").removeprefix(f"http://127.0.0.1:{self.port}")
        bare, _, query = path.partition("?")
        self._kept[name] = path
        self._kept[f"{name}.path"] = bare
        self._kept[f"{name}.id"] = bare.rpartition("/")[2]
        self._kept[f"{name}.state"] = query.removeprefix("_state=")

    def _see(self, step: Step, answer: Answer) -> Seen:
        failed = answer.status >= 400
        kind = (answer.header("Content-Type") or "").partition(";")[0]
        allowed = (answer.header("Allow") or "").replace(" ", "").split(",")
        location = answer.header("Location")
        seen: dict[str, Any] = {
            "status": answer.status,
            "Content-Type": kind or None,
            "Allow": ",".join(sorted(allowed)) or None,
            "Location": None if location is None else self._mask(location),
            "Docker-Upload-UUID": _given(answer.header("Docker-Upload-UUID")),
            "whole": answer.whole,
        }
        for name in _PLAIN:
            value = answer.header(name)
            seen[name] = None if value is None else _named(value)
        length = answer.header("Content-Length")
        # How long these are depends on wording and white space.
        free = failed or kind in ("application/json", "multipart/byteranges")
        seen["Content-Length"] = _given(length) if free else length
        if failed:
            seen["codes"] = _codes(answer.content) if step.method != "HEAD" else None
        else:
            seen["body"] = _body(kind, answer.content)
        if answer.status == 200 and answer.content.startswith(b'{"name"'):
            seen |= _tags(answer.content)
        return seen

    def _mask(self, location: str) -> str:
        found = location.replace(f"127.0.0.1:{self.port}", "<host>")
        found = _STATE.sub("_state=<state>", _ID.sub("/uploads/<id>", found))
        return _named(found)


def _codes(content: bytes) -> str:
    """Give the codes of an error; say so if it has none."""
    if not content:
        return "no body"
    try:
        return " ".join(error["code"] for error in json.loads(content)["errors"])
    except (ValueError, KeyError, TypeError):
        return "no JSON"


def _given(value: str | None) -> str | None:
    return None if value is None else "given"


def _named(text: str) -> str:
    """Put the names of what was pushed for its digests."""
    return _DIGEST.sub(lambda match: NAMES.get(match[0], match[0]), text)


def _body(kind: str, content: bytes) -> str | None:
    """Give a body by its name if it is one of ours, else in comparable words."""
    if not content:
        return None
    if digest_of(content) in NAMES:
        return NAMES[digest_of(content)]
    if kind == "application/json":
        return json.dumps(json.loads(content), separators=(",", ":"))
    if kind == SCHEMA1:
        # Whoever converts a manifest signs it with a new key.
        document = json.loads(content)
        return f"schema 1 of {document['name']}:{document['tag']}"
    if kind == "multipart/byteranges":
        return _parts(content)
    return content.decode("ascii", "replace").strip()


def _tags(content: bytes) -> Seen:
    """Tell a list of tags from its order, which may be that of a directory."""
    document = json.loads(content)
    tags = document["tags"] or []
    document["tags"] = document["tags"] and sorted(tags)
    order = None if len(tags) < 5 else tags == sorted(tags)
    return {"body": json.dumps(document, separators=(",", ":")), "sorted": order}


def _parts(content: bytes) -> str:
    """Take a multipart body apart: the headers of a part may be in any order."""
    boundary = content.strip().partition(b"\r\n")[0]
    found = []
    for part in content.decode("ascii").split(boundary.decode("ascii"))[1:-1]:
        head, _, body = part.strip("\r\n").partition("\r\n\r\n")
        found.append(" / ".join([*sorted(head.split("\r\n")), body]))
    return "\n".join(found)
