"""Which manifest a URI is of."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.test_upstreams import TABLE
from txregistry.spec.manifest_uri import manifest_in


class UriTests(SynchronousTestCase):
    """All names of one image are the same."""

    def test_manifests(self) -> None:
        """By path or by ``ns=``, behind a prefix, and percent-encoded."""
        for uri, expected in (
            ("/v2/alpine/manifests/3", ("library/alpine", "3")),
            ("/v2/library/alpine/manifests/3?ns=docker.io", ("library/alpine", "3")),
            ("/v2/ghcr.io/org/app/manifests/v1", ("ghcr.io/org/app", "v1")),
            ("/v2/org/app/manifests/v1?ns=ghcr.io", ("ghcr.io/org/app", "v1")),
            ("/v2/org/app/manifests/v1?a=b&ns=ghcr.io", ("ghcr.io/org/app", "v1")),
            ("/cache/v2/org/app/manifests/v1", ("org/app", "v1")),
            ("/v2/org/v2/manifests/v1", ("org/v2", "v1")),
            ("/v2/org/manifests/manifests/v1", ("org/manifests", "v1")),
            ("/v2/org/app/manifests/sha256%3Aab", ("org/app", "sha256:ab")),
            ("/v2/org%2fapp/manifests/v1", ("org/app", "v1")),
        ):
            self.assertEqual(manifest_in(uri, TABLE), expected, uri)

    def test_others(self) -> None:
        """What is no manifest, or of nobody that is known, is none."""
        for uri in (
            "/v2/",
            "/v2/a/blobs/sha256:1",
            "/v2/a/manifests/",
            "/v2/a/manifests/v1/x",
            "/v2/A/manifests/v1",
            "/v2/a/manifests/v1?ns=quay.io",
            "/v2/quay.io/a/manifests/v1",
        ):
            self.assertIsNone(manifest_in(uri, TABLE), uri)
