"""The OpenAPI document of the admin listener's API (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from txregistry import __version__
from txregistry.interfaces.anatomy import ImageAnatomy
from txregistry.interfaces.eviction import EvictionPreview
from txregistry.interfaces.history import ActivityEvent, EventKind, Sample, Span
from txregistry.interfaces.images import ImageReport, PlatformReport
from txregistry.interfaces.overview import Overview
from txregistry.interfaces.readiness import Readiness
from txregistry.web.console.forgery import TOKEN_HEADER
from txregistry.web.console.jobs import Job
from txregistry.web.console.schemas import (
    FLAG,
    NUMBER,
    TEXT,
    Schema,
    extended,
    list_of,
    maybe,
    record,
    schema_of,
    without,
)

_NUMBER = {"type": "integer"}

#: What is here of an image: a registry tells less of it than a cache.
_IMAGE = {
    "anyOf": [
        extended(schema_of(ImageReport), size=_NUMBER, made_at=maybe(NUMBER)),
        record(
            image=TEXT,
            digest=TEXT,
            size=_NUMBER,
            platforms=list_of(schema_of(PlatformReport)),
            made_at=maybe(NUMBER),
        ),
    ]
}

_CACHE = extended(
    schema_of(Overview),
    downloads_number=_NUMBER,
    readiness=schema_of(Readiness),
    disk=maybe(schema_of(EvictionPreview)),
)

_JOB = extended(
    without(schema_of(Job), "progress", "changes"), progress=list_of({"type": "object"})
)

_SUMMARY = extended(without(_JOB, "options", "progress", "report"), title=TEXT)

_LAYERS = list_of({"type": "array", "prefixItems": [TEXT, _NUMBER], "items": False})

_SCHEMAS: dict[str, Schema] = {
    "Session": record(
        user=TEXT,
        may_act=FLAG,
        token=TEXT,
        actions=list_of(TEXT),
        reports=list_of(TEXT),
    ),
    "Overview": record(
        at=NUMBER,
        problems={"type": "object", "additionalProperties": TEXT},
        cache=maybe(_CACHE),
    ),
    "History": record(
        span={"enum": [span.value for span in Span]},
        step=_NUMBER,
        samples=list_of(schema_of(Sample)),
    ),
    "Activity": record(events=list_of(schema_of(ActivityEvent)), older=_NUMBER),
    "Pins": record(patterns=list_of(TEXT)),
    "Repositories": record(repositories=list_of(TEXT), next=TEXT),
    "Tags": record(
        repository=TEXT,
        tags=list_of(record(tag=TEXT, image=maybe(_IMAGE))),
        next=TEXT,
    ),
    "Image": record(
        image=_IMAGE,
        anatomy=schema_of(ImageAnatomy),
        sizes=list_of(_NUMBER),
        pull=list_of(TEXT),
        earlier=list_of(TEXT),
    ),
    "Comparison": record(
        **{"from": TEXT},
        to=TEXT,
        variants=list_of(
            record(platform=TEXT, came=_LAYERS, went=_LAYERS, kept=_NUMBER)
        ),
    ),
    "Job": _JOB,
    "Jobs": record(jobs=list_of(_SUMMARY)),
    "Says": record(says=list_of(TEXT)),
    "Report": record(report={"type": "object"}),
    "Question": {
        "type": "object",
        "properties": {
            "action": TEXT,
            "options": {"type": "object"},
            "dry_run": FLAG,
        },
        "required": ["action"],
    },
    "Errors": record(
        errors=list_of(
            {
                "type": "object",
                "properties": {"code": TEXT, "message": TEXT, "detail": {}},
                "required": ["code", "message"],
            }
        )
    ),
}


def document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "txregistry admin", "version": __version__},
        "paths": _paths(),
        "components": {"schemas": _SCHEMAS},
    }


def _paths() -> dict[str, Any]:
    kinds = [kind.value for kind in EventKind]
    return {
        "/api/v1/session": _get("Who asks, and what they may do", "Session"),
        "/api/v1/overview": _get("How the daemon is now", "Overview"),
        "/api/v1/history": _get(
            "Counts over time",
            "History",
            span={"enum": [span.value for span in Span]},
        ),
        "/api/v1/activity": _get(
            "The last events",
            "Activity",
            kind={"enum": kinds},
            text=TEXT,
            before=_NUMBER,
        ),
        "/api/v1/pins": _get("Pinned images", "Pins"),
        "/api/v1/repositories": _get(
            "Repositories whose name has a text", "Repositories", text=TEXT, after=TEXT
        ),
        "/api/v1/tags": _get(
            "Tags of a repository", "Tags", repository=TEXT, after=TEXT
        ),
        "/api/v1/image": _get("All about one image", "Image", name=TEXT),
        "/api/v1/comparison": _get(
            "What differs between two images", "Comparison", **{"from": TEXT}, to=TEXT
        ),
        "/api/v1/jobs": {
            **_get("Actions, the newest first", "Jobs"),
            "post": _act(
                "Begin an action, or say what it would do",
                {"200": _answer("Says"), "202": _answer("Job")},
            ),
        },
        "/api/v1/reports": {
            "post": _ask(
                "Run a command that only looks; the report is as of the command line",
                {"200": _answer("Report")},
            )
        },
        "/api/v1/jobs/{number}": _get("One action", "Job") | {"parameters": [_JOB_OF]},
        "/api/v1/jobs/{number}/stop": {
            "parameters": [_JOB_OF],
            "post": _act("End an action early", {"200": _answer("Job")}, None),
        },
        "/api/v1/live": {"get": _live()},
    }


_JOB_OF = {"name": "number", "in": "path", "required": True, "schema": _NUMBER}


def _get(summary: str, schema: str, **query: Schema) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "schema": kind} for name, kind in query.items()
    ]
    answers = {"200": _answer(schema), "default": _answer("Errors")}
    return {"get": {"summary": summary, "parameters": parameters, "responses": answers}}


def _live() -> dict[str, Any]:
    """Describe events (HTML, 9.2), each of which has an overview."""
    content = {"text/event-stream": {"schema": TEXT}}
    events = {"description": "Events whose data is an Overview", "content": content}
    return {
        "summary": "The overview every two seconds",
        "responses": {"200": events, "default": _answer("Errors")},
    }


def _ask(
    summary: str, answers: dict[str, Any], body: str | None = "Question"
) -> dict[str, Any]:
    found = {"summary": summary, "responses": {**answers, "default": _answer("Errors")}}
    if body is None:
        return found
    question = {"application/json": {"schema": _reference(body)}}
    return {**found, "requestBody": {"content": question}}


def _act(
    summary: str, answers: dict[str, Any], body: str | None = "Question"
) -> dict[str, Any]:
    token = {
        "name": TOKEN_HEADER,
        "in": "header",
        "required": True,
        "description": "of /api/v1/session",
        "schema": TEXT,
    }
    return {**_ask(summary, answers, body), "parameters": [token]}


def _answer(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(schema)}}
    return {"description": schema, "content": content}


def _reference(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}
