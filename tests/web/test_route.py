"""One route: what is checked, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.access import Grant
from txregistry.spec.errors import (
    NameInvalid,
    Unauthorized,
    Unavailable,
    Unsupported,
    UriTooLong,
)
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamNames, UpstreamTable
from txregistry.web.route import Operation, Route

GRANT = Grant("ann")


class RouteTests(SynchronousTestCase):
    """A route that reads and deletes."""

    def setUp(self) -> None:
        self.admission, self.audit = mock.Mock(), mock.Mock()
        self.admission.admit.side_effect = lambda *_: succeed(GRANT)
        self.done: Deferred[bytes] = Deferred()
        self.asked: list[dict[str, Any]] = []
        self.headers: dict[bytes, Any] = {}
        self.window: Deferred[None] = succeed(None)
        self.upstreams = UpstreamTable()

    def request(self, method: bytes, **query: str) -> Any:
        return SimpleNamespace(
            method=method,
            allowed="",
            path=b"/v2/",
            has_too_many_parameters=False,
            query=query.get,
            setHeader=self.headers.__setitem__,
            responseHeaders=mock.Mock(),
            wait_for_window=lambda: self.window,
            run_in_context=lambda work, *args: work(*args),
        )

    async def work(self, request: Any, grant: Grant, **parts: Any) -> bytes:
        self.asked.append(parts)
        return await self.done

    def route(self, **gate: bool) -> Route:
        operations = {
            "GET": Operation(self.work),
            "DELETE": Operation(self.work, Change.DELETE),
        }
        required = mock.Mock(return_value=[])
        return Route(
            self.admission,
            Gate(**gate),
            self.upstreams,
            required,
            operations,
            self.audit,
        )

    def answer(self, method: bytes = b"GET", name: str = "a/b", **query: str) -> Any:
        self.asked_by = self.request(method, **query)
        return self.route(deletes=True).answer(self.asked_by, name=name, digest="x")

    def test_work(self) -> None:
        """The operation gets the grant and the parts of the path, the name parsed."""
        self.done.callback(b"body")
        for method in (b"GET", b"HEAD", b"DELETE"):
            self.assertEqual(self.successResultOf(self.answer(method)), b"body")
            parts = {"name": RepositoryName.parse("a/b"), "digest": "x"}
            self.assertEqual(self.asked.pop(), parts)

    def test_allowed(self) -> None:
        """What the gate does not permit is not offered; HEAD goes with GET."""
        for deletes, expected in ((True, "DELETE, GET, HEAD"), (False, "GET, HEAD")):
            request = self.request(b"OPTIONS")
            body = self.route(deletes=deletes).answer(request, name="a/b")
            self.assertEqual(self.successResultOf(body), b"")
            self.assertEqual(self.headers[b"Allow"], expected)
            self.assertEqual(request.allowed, expected)
        self.admission.admit.assert_not_called()

    def test_refused(self) -> None:
        """Another method, a bad name, too many parameters: nothing is admitted."""
        for method in (b"PATCH", b"get", b"\xff"):
            self.failureResultOf(self.answer(method), Unsupported)
        self.failureResultOf(self.answer(name="A"), NameInvalid)
        request = self.request(b"GET")
        request.has_too_many_parameters = True
        done = self.route().answer(request, name="a/b")
        self.failureResultOf(done, UriTooLong)
        self.admission.admit.assert_not_called()
        self.assertEqual(self.asked, [])

    def test_not_admitted(self) -> None:
        """Who is not let in has no work done; nor has anybody while health fails."""
        self.admission.admit.side_effect = lambda *_: fail(Unauthorized())
        self.failureResultOf(self.answer(), Unauthorized)
        self.admission.check_health.side_effect = Unavailable()
        self.failureResultOf(self.answer(b"OPTIONS"), Unavailable)
        self.assertEqual(self.asked, [])

    def test_closed_window(self) -> None:
        """Nothing is read for a client that takes nothing; deletes do not wait."""
        self.window = Deferred()
        done = self.answer()
        self.assertEqual(self.asked, [])
        self.answer(b"DELETE")
        self.assertEqual(len(self.asked), 1)
        self.window.callback(None)
        self.assertEqual(len(self.asked), 2)
        self.done.callback(b"")
        self.successResultOf(done)

    def test_client_that_leaves(self) -> None:
        """A read is given up with its client; a change is completed."""
        cancelled: list[bool] = []
        for method, given_up in ((b"GET", True), (b"DELETE", False)):
            self.done, before = (
                Deferred(lambda _: cancelled.append(True)),
                len(cancelled),
            )
            done = self.answer(method)
            done.cancel()
            self.failureResultOf(done, CancelledError)
            self.assertEqual(len(cancelled) > before, given_up, method)

    def test_change_that_fails_unseen(self) -> None:
        """What fails after its client has left is logged."""
        done = self.answer(b"DELETE")
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.done.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_namespace(self) -> None:
        """A cache confirms the namespace that it is asked for; a registry does not."""
        self.done.callback(b"")
        for is_cache, given, expected in (
            (True, "docker.io", "docker.io"),
            (True, "[::1]:5000", "[::1]:5000"),
            (True, "a b", None),
            (True, "x" * 256, None),
            (False, "docker.io", None),
        ):
            self.headers.clear()
            request = self.request(b"GET", ns=given)
            default = UpstreamNames("", ("up.example",)) if is_cache else None
            self.upstreams = UpstreamTable(default)
            route = self.route()
            self.successResultOf(route.answer(request, name="a/b"))
            self.assertEqual(self.headers.get(b"OCI-Namespace"), expected, given)
