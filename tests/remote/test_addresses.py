"""What the URL of a request says about it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.addresses import (
    follow_link,
    is_api,
    is_signed,
    path_of,
    resolve_reference,
    scope_of,
)

DIGEST = "sha256:" + "a" * 64


class KindTests(SynchronousTestCase):
    """The API, and storages to which it redirects."""

    def test_api(self) -> None:
        """Paths of the API below any path; a signed URL is a storage's."""
        for path, expected in (
            (f"/v2/a/b/blobs/{DIGEST}", True),
            ("/v2/a/manifests/v1", True),
            ("/v2/a/tags/list/", True),
            (f"/v2/a/referrers/{DIGEST}?artifactType=x", True),
            ("/artifactory/api/docker/remote/v2/a/manifests/v1", True),
            (f"/v2/a/blobs/{DIGEST}?X-Amz-Signature=x", False),
            (f"/docker/registry/v2/blobs/sha256/aa/{DIGEST}/data", False),
            ("/v2/", False),
            ("/v2/manifests/v1", False),
            ("/v2/_catalog", False),
            ("/v2/a/blobs/uploads/id/more", False),
        ):
            self.assertEqual(is_api(f"https://h{path}"), expected, path)

    def test_signed(self) -> None:
        """One of the parameters of object stores, in any case, even without a value."""
        for query, expected in (
            ("X-Amz-Signature=x", True),
            ("a=b&sig", True),
            ("VERIFY=1", True),
            ("signed=1", False),
            ("a=sig", False),
            ("", False),
        ):
            self.assertEqual(is_signed(f"https://h/p?{query}"), expected, query)

    def test_long_path(self) -> None:
        """A path that is nothing but beginnings takes no time that grows faster."""
        self.assertFalse(is_api("https://h" + "/v2/x" * 20_000))


class ScopeTests(SynchronousTestCase):
    """The scope of a token for a path."""

    def test_scopes(self) -> None:
        """A repository is to be pulled; of anything else there is the catalogue."""
        for path, expected in (
            (f"/v2/lib/x/blobs/{DIGEST}", "repository:lib/x:pull"),
            ("/v2/lib/x/tags/list?n=5", "repository:lib/x:pull"),
            ("/v2/manifests/manifests/v1", "repository:manifests:pull"),
            ("/v2/_catalog?n=5", "registry:catalog:*"),
            ("/v2/", ""),
            ("/token", ""),
        ):
            self.assertEqual(scope_of(path), expected, path)


class LinkTests(SynchronousTestCase):
    """Where a link or a redirect leads."""

    def test_path(self) -> None:
        """Path and query, without the path of the upstream."""
        for url, base, expected in (
            ("https://h/v2/a?n=1", "https://h", "/v2/a?n=1"),
            ("https://h/sub/v2/a", "https://h/sub", "/v2/a"),
            ("https://other/v2/a", "https://h/sub", "/v2/a"),
        ):
            self.assertEqual(path_of(url, base), expected)

    def test_reference(self) -> None:
        """Relative ones are resolved, others kept; what no URL has is quoted."""
        for reference, expected in (
            ("https://cdn/x?y=%2F#z", "https://cdn/x?y=%2F"),
            ("/x", "https://h/x"),
            ("x y", "https://h/v2/x%20y"),
            ("?n=\xe9", "https://h/v2/a?n=%E9"),
            ("//cdn/x", "https://cdn/x"),
        ):
            self.assertEqual(resolve_reference("https://h/v2/a", reference), expected)
        self.assertRaises(ValueError, resolve_reference, "https://h/", "http://[x")

    def test_next_page(self) -> None:
        """The upstream itself is asked, whatever host and path the link names."""
        page = "/v2/a/tags/list"
        for base, link, expected in (
            ("https://h", "/v2/a/tags/list?last=x", f"{page}?last=x"),
            ("https://h", "?last=x", f"{page}?last=x"),
            ("https://h", "http://internal:5000/v2/a/tags/list?n=1", f"{page}?n=1"),
            ("https://h/sub", "/sub/v2/a/tags/list?n=1", f"{page}?n=1"),
            ("https://h/sub", "/v2/a/tags/list?n=1", f"{page}?n=1"),
            ("https://h", "/elsewhere/v2/a/tags/list?n=1", f"{page}?n=1"),
        ):
            self.assertEqual(follow_link(base, page, link), expected, link)

    def test_unusable(self) -> None:
        """A link that leads nowhere in the API is the page itself, which ends it."""
        page = "/v2/a/tags/list"
        for link in ("/other?x=/v2/a", "https://cdn/x", "http://[x"):
            self.assertEqual(follow_link("https://h", page, link), page, link)
