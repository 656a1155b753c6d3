"""Events as distribution writes them: one per envelope, three spaces of indent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import attrs

from txregistry.flow.rfc3339 import write_time
from txregistry.interfaces.events import Action, Event, EventTarget
from txregistry.spec.descriptor import Descriptor

#: Media type of the envelope, as in distribution 3.
MEDIA_TYPE = "application/vnd.docker.distribution.events.v2+json"


@attrs.frozen
class EventSource:
    """The process that sends events.

    :ivar instance: an id of this run.
    """

    address: str
    instance: str


@attrs.frozen
class Filter:
    """What an endpoint ignores: a match of either leaves an event out."""

    media_types: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()

    def passes(self, event: Event) -> bool:
        """Tell whether an event is for this endpoint."""
        descriptor = event.target.descriptor
        kind = "" if descriptor is None else descriptor.media_type
        return kind not in self.media_types and event.action.value not in self.actions


def write_envelope(
    event: Event, event_id: str, now: float, source: EventSource, references: bool
) -> bytes:
    """Write the envelope of one event.

    :param references: also list the references of a manifest.
    """
    requested = event.requested
    document = {
        "id": event_id,
        "timestamp": write_time(now, "auto"),
        "action": event.action.value,
        "target": _target(event.target, event.action, references),
        "request": {
            "id": requested.request_id,
            **_filled({"addr": requested.address, "host": requested.host}),
            "method": requested.method,
            "useragent": requested.user_agent,
        },
        "actor": _filled({"name": requested.user}),
        "source": _filled({"addr": source.address, "instanceID": source.instance}),
    }
    return json.dumps({"events": [document]}, indent=3).encode("utf-8")


def _target(target: EventTarget, action: Action, references: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    if target.descriptor is not None:
        found |= _descriptor(target.descriptor)
        found["length"] = target.descriptor.size
    elif target.digest is not None:
        found["digest"] = str(target.digest)
    found["repository"] = str(target.repository)
    found |= _filled(
        {
            "fromRepository": "" if target.source is None else str(target.source),
            "url": target.url,
            "tag": "" if target.tag is None else str(target.tag),
        }
    )
    if references and target.references:
        found["references"] = _references(target.references)
    return found


def _references(references: Sequence[Descriptor]) -> list[dict[str, object]]:
    return [_descriptor(reference) for reference in references]


def _descriptor(descriptor: Descriptor) -> dict[str, object]:
    found: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
    }
    if descriptor.size is not None:
        found["size"] = descriptor.size
    return found


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}
