"""The table of routes and of error handlers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from klein import Klein

from txregistry.flow.deferred import shielded
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.events import IEventSink
from txregistry.interfaces.health import IHealth
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.errors import Unsupported, UriTooLong
from txregistry.spec.gate import Change, Gate
from txregistry.spec.manifest.push import PushPolicy
from txregistry.spec.reference import RepositoryName
from txregistry.web import base, errors
from txregistry.web.announcements import Announcements
from txregistry.web.blobs import Blobs
from txregistry.web.door import CATALOGUE, Door, wanted_access
from txregistry.web.manifests import Manifests
from txregistry.web.manifestwrites import ManifestWrites
from txregistry.web.referrers import ReferrerLists
from txregistry.web.request import MAX_PARAMETERS, RegistryRequest
from txregistry.web.tags import Lists
from txregistry.web.uploads import Uploads
from txregistry.web.urls import Urls


@attrs.frozen
class ApiSettings:
    """What the configuration says of the API.

    :ivar secret: seals the state of uploads; replicas share it.
    :ivar max_upload_bytes: of one blob; 0 for no limit.
    :ivar max_tags: a larger page of tags is clamped to this.
    :ivar max_repositories: a larger page of the catalogue is refused.
    """

    secret: bytes
    urls: Urls = attrs.field(factory=Urls)
    gate: Gate = attrs.field(factory=Gate)
    policy: PushPolicy = attrs.field(factory=PushPolicy)
    max_upload_bytes: int = 0
    max_tags: int = 1000
    max_repositories: int = 1000


@attrs.frozen
class Work:
    """What a method of a route does.

    :ivar change: what it does to the registry.
    """

    do: Callable[..., Any]
    change: Change = Change.NOTHING


#: A host, perhaps with a port, as containerd names an upstream.
_NAMESPACE = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)

Table = Mapping[str, Work]


@attrs.define(eq=False)
class Api:
    """The registry API over a namespace."""

    _namespace: INamespace
    _settings: ApiSettings
    _controller: IAccessController
    _events: IEventSink
    _health: IHealth
    _door: Door = attrs.field(init=False)
    _app: Klein = attrs.field(init=False, factory=Klein)

    def __attrs_post_init__(self) -> None:
        settings = self._settings
        self._door = Door(self._controller, self._health, settings.gate, settings.urls)

    def resource(self) -> Any:
        """Give the resource for a site."""
        # No redirects: a client's path is right or it is not found.
        self._app.url_map.strict_slashes = self._app.url_map.merge_slashes = False
        self._add_base()
        self._add_content()
        self._add_uploads()
        for kinds, handle in errors.HANDLERS:
            _handle(self._app, kinds, handle)
        return self._app.resource()

    def _add_base(self) -> None:
        settings = self._settings
        lists = Lists(
            self._namespace,
            settings.urls.prefix,
            settings.max_tags,
            settings.max_repositories,
        )
        self._open("/", base.root)
        self._route("/v2/", GET=Work(base.base))
        self._route("/v2/_catalog", GET=Work(lists.catalog))
        self._route("/v2/<path:name>/tags/list", GET=Work(lists.tags))

    def _add_content(self) -> None:
        namespace, urls = self._namespace, self._settings.urls
        announcements = Announcements(self._events)
        blobs = Blobs(namespace, urls, announcements)
        manifests = Manifests(namespace, urls, announcements)
        writes = ManifestWrites(namespace, urls, announcements, self._settings.policy)
        referrers = ReferrerLists(namespace, urls)
        self._route(
            "/v2/<path:name>/manifests/<reference>",
            GET=Work(manifests.get),
            PUT=Work(writes.put, Change.PUSH),
            DELETE=Work(writes.delete, Change.DELETE),
        )
        self._route(
            "/v2/<path:name>/blobs/<digest>",
            GET=Work(blobs.get),
            DELETE=Work(blobs.delete, Change.DELETE),
        )
        self._route("/v2/<path:name>/referrers/<digest>", GET=Work(referrers.list))

    def _add_uploads(self) -> None:
        uploads = Uploads(
            self._namespace,
            self._settings.urls,
            Announcements(self._events),
            self._settings.secret,
            self._settings.max_upload_bytes,
        )
        start = Work(uploads.start, Change.PUSH)
        self._route("/v2/<path:name>/blobs/uploads/", POST=start)
        self._route(
            "/v2/<path:name>/blobs/uploads/<upload>",
            GET=Work(uploads.status),
            PATCH=Work(uploads.append, Change.PUSH),
            PUT=Work(uploads.complete, Change.PUSH),
            DELETE=Work(uploads.cancel, Change.PUSH),
        )

    def _open(self, path: str, do: Callable[[RegistryRequest], bytes]) -> None:
        """Add a route that asks nobody who they are."""

        def endpoint(request: RegistryRequest) -> bytes:
            self._door.check_health()
            return do(request)

        self._app.route(path, methods=["GET"], endpoint=path)(endpoint)

    def _route(self, path: str, **table: Work) -> None:
        is_upload = "/blobs/uploads/" in path
        allowed = self._allowed(table)

        async def endpoint(request: RegistryRequest, **parts: Any) -> Any:
            _mark(request)
            request.allowed = allowed
            self._door.check_health()
            if request.method == b"OPTIONS":
                return _options(request)
            if request.overfull:
                raise UriTooLong({"limit": MAX_PARAMETERS})
            work = table.get(_verb(request))
            if work is None:
                raise Unsupported()  # the router takes methods in lower case as well
            name = None
            if "name" in parts:
                name = parts["name"] = RepositoryName.parse(parts["name"])
            wanted = wanted_access(request, name, is_upload)
            if path == "/v2/_catalog":
                wanted = [*CATALOGUE]
            grant = await self._door.admit(request, wanted, work.change)
            if self._settings.gate.is_cache:
                _name_namespace(request)
            doing = work.do(request, grant, **parts)
            if work.change is Change.NOTHING:
                return await doing
            # A change is made to its end, told and recorded, though its client left.
            return await shielded(doing, errors.stray)

        methods = [*table, "OPTIONS"]
        self._app.route(path, methods=methods, endpoint=path)(endpoint)

    def _allowed(self, table: Table) -> str:
        """Say which methods of a route would pass the gate (RFC 9110, 10.2.1)."""
        permits = self._settings.gate.permits
        found = [verb for verb, work in table.items() if permits(work.change)]
        found += ["HEAD"] if "GET" in found else []
        return ", ".join(sorted(found))


def _name_namespace(request: RegistryRequest) -> None:
    """Tell a client that asks for a namespace that it gets what it asks for.

    OCI distribution-spec after 1.1, "Registry Proxying". This cache has one upstream:
    what that is called is for whoever configures clients.
    """
    namespace = request.query("ns")
    if namespace and _NAMESPACE.fullmatch(namespace):
        request.setHeader(b"OCI-Namespace", namespace)


def _options(request: RegistryRequest) -> bytes:
    """Say what may be asked, as browsers want to know first."""
    request.setHeader(b"Allow", request.allowed)
    request.setHeader(b"Content-Length", b"0")
    return b""


def _verb(request: RegistryRequest) -> str:
    method: str = request.method.decode("ascii", "replace")
    return "GET" if method == "HEAD" else method


def _mark(request: RegistryRequest) -> RegistryRequest:
    if request.path != b"/":
        request.setHeader(b"Docker-Distribution-Api-Version", b"registry/2.0")
    return request


def _handle(app: Klein, kinds: Any, handle: Any) -> None:
    listed = kinds if isinstance(kinds, tuple) else (kinds,)

    def handler(request: Any, failure: Any) -> Any:
        return handle(_mark(request), failure)

    app.handle_errors(*listed)(handler)
