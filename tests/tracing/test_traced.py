"""The spans of a whole house."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.driver import IPruner, IStorageDriver
from txregistry.interfaces.tracing import ISpan, ITracer, SpanKind, current_span
from txregistry.spec.digest import Digest
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault
from txregistry.tracing.traced import trace_driver

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class SpanCase(SynchronousTestCase):
    """A house whose spans are kept."""

    if not find_spec("opentelemetry.sdk" if find_spec("opentelemetry") else "no_sdk"):
        skip = "the extra txregistry[otel] is not installed"

    def setUp(self) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
            InMemorySpanExporter,
        )

        from txregistry.tracing.otel import make_tracer

        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = make_tracer(provider, "1")
        self.house = TestHouse(tracer=self.tracer)

    def spans(self, name: str) -> list[Any]:
        ended = self.exporter.get_finished_spans()
        found = [span for span in ended if span.name == name]
        self.assertTrue(found, [span.name for span in ended])
        return found


class RequestSpanTests(SpanCase):
    """One span per request."""

    def test_contracts(self) -> None:
        """The tracer and its spans."""
        verifyObject(ITracer, self.tracer)
        verifyObject(ISpan, self.tracer.begin("x", SpanKind.INTERNAL, {}))

    def test_request(self) -> None:
        """Its name is method and route; its attributes those of the conventions."""
        self.house.send("GET", "/v2/a/b/manifests/v1", User_Agent="skopeo/1")
        (span,) = self.spans("GET /v2/{name}/manifests/{reference}")
        found = dict(span.attributes)
        self.assertEqual(found["http.request.method"], "GET")
        self.assertEqual(found["http.response.status_code"], 404)
        self.assertEqual(found["http.route"], "/v2/{name}/manifests/{reference}")
        self.assertEqual(found["url.path"], "/v2/a/b/manifests/v1")
        self.assertEqual(found["server.address"], "registry.example")
        self.assertEqual(found["user_agent.original"], "skopeo/1")
        self.assertTrue(found["client.address"])
        identity = self.house.recorder.exchanges[-1].request_id
        self.assertEqual(found["txregistry.request.id"], identity)
        self.assertEqual(span.kind.name, "SERVER")
        self.assertTrue(span.status.is_unset)
        self.assertIsNone(span.parent)

    def test_continued(self) -> None:
        """The client's trace is continued; what is no trace is passed over."""
        self.house.send("GET", "/v2/", traceparent=PARENT)
        (span,) = self.spans("GET /v2/")
        self.assertEqual(f"{span.context.trace_id:032x}", TRACE)
        self.assertEqual(f"{span.parent.span_id:016x}", "b7ad6b7169203331")
        self.exporter.clear()
        self.house.send("GET", "/v2/", traceparent="00-zz")
        (span,) = self.spans("GET /v2/")
        self.assertIsNone(span.parent)

    def test_names_are_few(self) -> None:
        """A client cannot make names, and no span shows the id of an upload."""
        self.house.send("BREW", "/nowhere")
        self.spans("_OTHER")
        begun = self.house.send("POST", "/v2/a/b/blobs/uploads/", b"")
        location = begun.header("Location") or ""
        upload = location.partition("/uploads/")[2].partition("?")[0]
        self.house.send("PATCH", location, b"x" * 100_000)
        for span in self.exporter.get_finished_spans():
            self.assertNotIn(upload, str(dict(span.attributes)))

    def test_failures(self) -> None:
        """What is our fault is an error."""
        self.house.upstream.faults.append(Fault("/manifests/", status=500, times=99))
        self.house.get("/v2/a/b/manifests/v1")
        (span,) = self.spans("GET /v2/{name}/manifests/{reference}")
        self.assertFalse(span.status.is_ok or span.status.is_unset)

    def test_off(self) -> None:
        """Without a tracer no request has a span."""
        house = TestHouse()
        house.send("GET", "/v2/")
        self.assertIsNone(house.registry.tracer)
        self.assertEqual(self.exporter.get_finished_spans(), ())


class ChildTests(SpanCase):
    """What a request has done for it."""

    def test_fill(self) -> None:
        """A fill is below its request, and what it asks the upstream below the fill."""
        digest = self.house.upstream.add_blob("a/b", b"x" * 500_000)
        self.house.get(f"/v2/a/b/blobs/{digest}", traceparent=PARENT)
        (served,) = self.spans("GET /v2/{name}/blobs/{digest}")
        (fill,) = self.spans("fill")
        self.assertEqual(fill.parent.span_id, served.context.span_id)
        self.assertEqual(fill.attributes["txregistry.bytes"], 500_000)
        asked = [s for s in self.spans("GET") if "/blobs/" in s.attributes["url.full"]]
        self.assertEqual({s.parent.span_id for s in asked}, {fill.context.span_id})
        self.assertEqual(asked[0].attributes["http.response.status_code"], 200)
        for name in ("storage create", "storage commit"):
            for span in self.exporter.get_finished_spans():
                if span.name == name:
                    self.assertEqual(f"{span.context.trace_id:032x}", TRACE)
        self.assertIsNone(current_span.get())

    def test_upstream(self) -> None:
        """The upstream gets the trace, and the span that asks."""
        self.house.get("/v2/a/b/manifests/v1", traceparent=PARENT)
        spans = self.spans("HEAD") + self.spans("GET")
        sent = {f"00-{TRACE}-{span.context.span_id:016x}-01" for span in spans}
        asked = [one.headers for one in self.house.upstream.asked]
        got = {headers["traceparent"] for headers in asked}
        self.assertEqual(got - sent, set())
        self.assertTrue(got)

    def test_push(self) -> None:
        """A push has the commit of its storage."""
        content = b"x" * 100
        digest = Digest.of(content)
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        self.house.send("POST", path, content)
        (served,) = self.spans("POST /v2/{name}/blobs/uploads/")
        commits = self.spans("storage commit")
        self.assertIn(served.context.span_id, {s.parent.span_id for s in commits})

    def test_driver(self) -> None:
        """A traced driver provides all that the driver does."""
        inner = MemoryDriver(self.house.clock)
        driver = trace_driver(inner, self.tracer)
        verifyObject(IStorageDriver, driver)
        self.assertEqual(IPruner.providedBy(driver), IPruner.providedBy(inner))
        self.successResultOf(driver.put(path="/a", content=b"x"))
        self.successResultOf(driver.reader(path="/a")).close()
        (span,) = self.spans("storage open")
        self.assertEqual(span.attributes["txregistry.path"], "/a")
        self.failureResultOf(driver.reader(path="/none"))
        self.assertTrue(self.spans("storage open")[-1].status.is_unset)
