"""Notifications, as configured: queue, endpoints, source."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context
from txregistry.assembly.ownpaths import own_path
from txregistry.config.model import Config
from txregistry.config.notifications import EndpointSection as EndpointConfig
from txregistry.flow.database import Database
from txregistry.flow.disk import Disk, DiskPool
from txregistry.interfaces.events import IEventSink
from txregistry.notifications import queue
from txregistry.notifications.endpoint import Endpoint, EndpointSettings
from txregistry.notifications.envelope import EventSource, Filter
from txregistry.notifications.notifier import Notifier
from txregistry.notifications.silent import NullSink
from txregistry.observe.metrics import NotificationState
from txregistry.spec.weburl import Target


@attrs.frozen
class NotificationParts:
    """The sink of events, and its services.

    :ivar deliveries: counts of events, by endpoint.
    :ivar notifier: ``None`` without endpoints.
    """

    sink: IEventSink
    services: tuple[IService, ...] = ()
    deliveries: NotificationState = list
    notifier: Notifier | None = None


def build_notifications(context: Context) -> NotificationParts:
    """Build the notifier of a configuration; nothing is sent yet."""
    disk = DiskPool.create(context.reactor, 1, "events")
    notifier = make_notifier(
        context.config, disk, context.reactor, context.clock, context.environment
    )
    if notifier is None:
        return NotificationParts(NullSink())
    context.metrics.watch_notifications(notifier.state)
    return NotificationParts(notifier, (disk, notifier), notifier.state, notifier)


def make_notifier(
    config: Config,
    disk: Disk,
    reactor: Any,
    clock: IReactorTime,
    environment: Mapping[str, str] | None = None,
) -> Notifier | None:
    """Make the notifier of all endpoints, or ``None`` without endpoints.

    :param disk: one thread, on which the queue is read and written.
    :param clock: gives the time of day for events.
    :param environment: see :func:`own_path`.
    """
    section = config.notifications
    wanted = settings_of_endpoints(config)
    if not wanted:
        return None
    path = own_path(config, "queue/events.sqlite3", environment=environment)
    database = Database(path, disk, queue.SCHEMA, queue.VERSION, durable=True)
    events = queue.EventQueue(database)
    return Notifier(
        _endpoints(wanted, events, reactor),
        events,
        _source(config),
        section.events.includereferences,
        section.queuelimit,
        clock,
    )


def _endpoints(
    wanted: list[EndpointSettings], events: queue.EventQueue, reactor: Any
) -> list[Endpoint]:
    # The client is imported where somebody is to be notified.
    from treq.client import HTTPClient
    from twisted.web.client import Agent, HTTPConnectionPool

    client = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor)))
    return [Endpoint(item, events, client, reactor) for item in wanted]


def settings_of_endpoints(config: Config) -> list[EndpointSettings]:
    """Give the settings of all endpoints that are not disabled."""
    endpoints = config.notifications.endpoints
    return [endpoint_settings(item) for item in endpoints if not item.disabled]


def endpoint_settings(endpoint: EndpointConfig) -> EndpointSettings:
    """Give the settings of an endpoint.

    Credentials in the URL are moved into a header, so that they do not appear in a log;
    a configured header takes precedence, as in Go.
    """
    target = Target.of(endpoint.url)
    return EndpointSettings(
        endpoint.name,
        target.url,
        target.headers(endpoint.headers),
        endpoint.timeout or 1.0,
        endpoint.threshold or 10,
        endpoint.backoff or 1.0,
        Filter(
            frozenset(endpoint.ignore.mediatypes), frozenset(endpoint.ignore.actions)
        ),
    )


def _source(config: Config) -> EventSource:
    port = config.http.addr.rpartition(":")[2]
    return EventSource(f"{socket.gethostname()}:{port}", str(uuid.uuid4()))
