"""The table of routes and of error handlers."""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein

from txregistry.interfaces.namespace import INamespace
from txregistry.web import base, errors
from txregistry.web.blobs import Blobs
from txregistry.web.manifests import Manifests
from txregistry.web.site import RegistryRequest
from txregistry.web.tags import Lists

_UPLOADS = ("POST", "GET", "HEAD", "PUT", "PATCH", "DELETE")


@attrs.define(eq=False)
class Api:
    """The registry API over a namespace.

    :param prefix: stands before ``/v2/`` in the links that are sent.
    """

    _namespace: INamespace
    _prefix: str = ""

    def resource(self) -> Any:
        """Give the resource for a site."""
        return self.routes().resource()

    def routes(self) -> Klein:
        """Build the table: one line per route."""
        app = Klein()
        # No redirects: a client's path is right or it is not found.
        app.url_map.strict_slashes = app.url_map.merge_slashes = False
        blobs, manifests = Blobs(self._namespace), Manifests(self._namespace)
        lists = Lists(self._namespace, self._prefix.rstrip("/"))

        def route(path: str, work: Any, methods: tuple[str, ...] = ("GET",)) -> None:
            def endpoint(request: RegistryRequest, **parts: str) -> Any:
                return work(_marked(request), **parts)

            app.route(path, methods=list(methods), endpoint=path)(endpoint)

        route("/", base.root)
        route("/v2/", base.base)
        route("/v2/_catalog", lists.catalog)
        route("/v2/<path:name>/tags/list", lists.tags)
        route("/v2/<path:name>/manifests/<reference>", manifests.get)
        route("/v2/<path:name>/blobs/<digest>", blobs.get)
        route("/v2/<path:name>/blobs/uploads/", _refuse, _UPLOADS)
        route("/v2/<path:name>/blobs/uploads/<upload>", _refuse, _UPLOADS)
        for kinds, handle in errors.HANDLERS:
            _handle(app, kinds, handle)
        return app


def _refuse(request: RegistryRequest, **parts: str) -> bytes:
    request.handler = "blob_upload"
    return base.unsupported(request)


def _marked(request: RegistryRequest) -> RegistryRequest:
    if request.path != b"/":
        request.setHeader(b"Docker-Distribution-Api-Version", b"registry/2.0")
    return request


def _handle(app: Klein, kinds: Any, handle: Any) -> None:
    listed = kinds if isinstance(kinds, tuple) else (kinds,)

    def handler(request: Any, failure: Any) -> Any:
        return handle(_marked(request), failure)

    app.handle_errors(*listed)(handler)
