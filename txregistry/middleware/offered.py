"""Middleware by kind and name (Note [Named, then imported] in ``flow/offered``)."""

from __future__ import annotations

from txregistry.flow.offered import Offered

#: By ``<kind>.<name>``; each is called as ``(options, services)``.
MIDDLEWARE = Offered(
    "txregistry.middleware",
    {
        "storage.cloudfront": "txregistry.middleware.cloudfront:make",
        "storage.redirect": "txregistry.middleware.redirect:make",
        "storage.rewrite": "txregistry.middleware.rewrite:make",
    },
)
