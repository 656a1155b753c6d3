"""The routes of the registry API (OCI distribution-spec, "Endpoints")."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from klein import Klein

from txregistry.flow.changes import ChangeTimes
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.audit import IAudit
from txregistry.interfaces.events import IEventSink
from txregistry.interfaces.health import IHealth
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.gate import Change, Gate
from txregistry.spec.manifest.push import PushPolicy
from txregistry.spec.upstreams import UpstreamTable
from txregistry.web import admission, base, errors
from txregistry.web.admission import Admission, RequiredAccess
from txregistry.web.audit import RequestAudit
from txregistry.web.blobs import Blobs
from txregistry.web.events import EventEmitter
from txregistry.web.http.request import RegistryRequest
from txregistry.web.manifest_writes import ManifestWrites
from txregistry.web.manifests import Manifests
from txregistry.web.referrers import ReferrerLists
from txregistry.web.repeats import Repeats
from txregistry.web.route import Operation, Route
from txregistry.web.router import Router
from txregistry.web.tags import Lists
from txregistry.web.unfinished_uploads import UnfinishedUploads, UploadCounts
from txregistry.web.upload_answers import UploadAnswers
from txregistry.web.uploads import Uploads
from txregistry.web.urls import Urls


@attrs.frozen
class ApiSettings:
    """Configuration of the API.

    :ivar secret: returns the key that seals the state of uploads (``http.secret``);
        called for each use. Replicas share it.
    :ivar upstreams: which repository a request names; none for a registry.
    :ivar max_upload_bytes: of one blob; 0 for no limit.
    :ivar max_uploads_per_user: unfinished uploads of one user; 0 for no limit.
    :ivar max_uploads: unfinished uploads of all users; 0 for no limit.
    :ivar upload_lifetime: seconds after which an abandoned upload is purged; 0 for
        never.
    :ivar max_tags: larger pages of tags are clamped to this.
    :ivar max_repositories: larger pages of the catalog are clamped to this.
    :ivar strict_catalog: larger pages of the catalog are refused instead.
    :ivar redirects: clients are sent to the storage where it has URLs for them.
    """

    secret: Callable[[], bytes]
    urls: Urls = attrs.field(factory=Urls)
    gate: Gate = attrs.field(factory=Gate)
    upstreams: UpstreamTable = attrs.field(factory=UpstreamTable)
    policy: PushPolicy = attrs.field(factory=PushPolicy)
    max_upload_bytes: int = 0
    max_uploads_per_user: int = 1000
    max_uploads: int = 10_000
    upload_lifetime: float = 0.0
    max_tags: int = 1000
    max_repositories: int = 1000
    strict_catalog: bool = False
    redirects: bool = True


@attrs.define(eq=False)
class Api:
    """The registry API over a namespace.

    :param uploads: counts unfinished uploads; a reload passes the current counts on.
    :param changes: is told what answers were about, see
        :class:`~txregistry.web.repeats.Repeats`.
    """

    _namespace: INamespace
    _settings: ApiSettings
    _controller: IAccessController
    _events: IEventSink
    _health: IHealth
    _audit: IAudit
    _uploads: UploadCounts = attrs.field(factory=UploadCounts)
    _changes: ChangeTimes = attrs.field(factory=ChangeTimes)
    _admission: Admission = attrs.field(init=False)
    _app: Klein = attrs.field(init=False, factory=Klein)

    def __attrs_post_init__(self) -> None:
        settings = self._settings
        self._admission = Admission(
            self._controller, self._health, settings.gate, settings.urls
        )

    def resource(self) -> Router:
        """Return the root resource for a site; call once."""
        # No redirects: a path that differs from a route by slashes is a 404.
        self._app.url_map.strict_slashes = self._app.url_map.merge_slashes = False
        self._add_base()
        self._add_content()
        self._add_uploads()
        return Router(self._app, errors.HANDLERS)

    def _add_base(self) -> None:
        settings = self._settings
        lists = Lists(
            self._namespace,
            settings.urls.prefix,
            settings.max_tags,
            settings.max_repositories,
            settings.strict_catalog,
        )
        self._add_unauthenticated("/", base.root)
        base_of_api = Operation(base.base, repeats=self._repeats())
        self._add_route("/v2/", admission.no_access, GET=base_of_api)
        self._add_route(
            "/v2/_catalog", admission.catalog_access, GET=Operation(lists.catalog)
        )
        self._add_route(
            "/v2/<path:name>/tags/list",
            admission.content_access,
            GET=Operation(lists.tags),
        )

    def _add_content(self) -> None:
        namespace, urls = self._namespace, self._settings.urls
        events = self._emitter()
        blobs = Blobs(namespace, urls, events, self._settings.redirects)
        manifests = Manifests(namespace, urls, events)
        writes = ManifestWrites(namespace, urls, events, self._settings.policy)
        referrers, repeats = ReferrerLists(namespace, urls), self._repeats()
        self._add_route(
            "/v2/<path:name>/manifests/<reference>",
            admission.content_access,
            GET=Operation(manifests.get, repeats=repeats),
            PUT=Operation(writes.put, Change.PUSH),
            DELETE=Operation(writes.delete, Change.DELETE),
        )
        self._add_route(
            "/v2/<path:name>/blobs/<digest>",
            admission.content_access,
            GET=Operation(blobs.get, repeats=repeats),
            DELETE=Operation(blobs.delete, Change.DELETE),
        )
        self._add_route(
            "/v2/<path:name>/referrers/<digest>",
            admission.content_access,
            GET=Operation(referrers.list),
        )

    def _add_uploads(self) -> None:
        upstreams = self._settings.upstreams
        access = admission.upload_access(upstreams)
        uploads = Uploads(
            self._namespace,
            upstreams,
            UploadAnswers(self._settings.urls, self._settings.secret),
            self._emitter(),
            self._settings.max_upload_bytes,
            UnfinishedUploads(
                self._settings.max_uploads_per_user,
                self._settings.max_uploads,
                self._settings.upload_lifetime,
                self._uploads,
            ),
        )
        start = Operation(uploads.start, Change.PUSH)
        self._add_route("/v2/<path:name>/blobs/uploads/", access, POST=start)
        self._add_route(
            "/v2/<path:name>/blobs/uploads/<upload>",
            access,
            GET=Operation(uploads.status),
            PATCH=Operation(uploads.append, Change.PUSH),
            PUT=Operation(uploads.complete, Change.PUSH),
            DELETE=Operation(uploads.cancel, Change.PUSH),
        )

    def _repeats(self) -> Repeats:
        return Repeats(self._emitter(), self._changes)

    def _emitter(self) -> EventEmitter:
        return EventEmitter(self._events, RequestAudit(self._audit))

    def _add_unauthenticated(
        self, path: str, do: Callable[[RegistryRequest], bytes]
    ) -> None:
        """Add a GET route that checks health only, without authentication."""

        def endpoint(request: RegistryRequest) -> bytes:
            self._admission.check_health()
            return do(request)

        self._app.route(path, methods=["GET"], endpoint=path)(endpoint)

    def _add_route(
        self, path: str, required: RequiredAccess, **table: Operation
    ) -> None:
        audit = RequestAudit(self._audit)
        settings = self._settings
        route = Route(
            self._admission, settings.gate, settings.upstreams, required, table, audit
        )
        methods = [*table, "OPTIONS"]
        self._app.route(path, methods=methods, endpoint=path)(route.answer)
