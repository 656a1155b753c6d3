"""Which manifest a request named (pure)."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

from txregistry.spec.errors import RegistryError
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable

#: Path and query of a manifest, behind any prefix.
_MANIFEST = re.compile(r".*?/v2/(.+)/manifests/([^/?]+)(?:\?(.*))?", re.DOTALL)


def manifest_in(uri: str, upstreams: UpstreamTable) -> tuple[str, str] | None:
    """Return the stored name and the reference of a manifest in a request's URI.

    :return: ``None`` if the URI is of something else, or of no known upstream.
    """
    found = _MANIFEST.fullmatch(uri)
    if found is None:
        return None
    spaces = parse_qs(found[3] or "").get("ns", [None])
    try:
        named = upstreams.find(spaces[-1], RepositoryName.parse(unquote(found[1])))
    except RegistryError:
        return None
    return named.name.text, unquote(found[2])
