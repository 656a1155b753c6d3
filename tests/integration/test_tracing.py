"""A daemon that exports spans to a collector, which decodes them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from tests.integration.support import IntegrationCase, sleep

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Collector(Resource):
    """Takes spans by OTLP over HTTP.

    :ivar hangs: it never answers.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False
        self.requests = 0
        self.spans: list[Any] = []
        self.services: set[str] = set()

    def render_POST(self, request: Any) -> Any:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        self.requests += 1
        if self.hangs:
            return NOT_DONE_YET
        content = request.content.read()
        if request.getHeader(b"content-encoding") == b"gzip":
            import gzip

            content = gzip.decompress(content)
        found = trace_service_pb2.ExportTraceServiceRequest.FromString(content)
        for part in found.resource_spans:
            about = {a.key: a.value.string_value for a in part.resource.attributes}
            self.services.add(about["service.name"])
            for scope in part.scope_spans:
                self.spans.extend(scope.spans)
        request.setHeader(b"content-type", b"application/x-protobuf")
        return trace_service_pb2.ExportTraceServiceResponse().SerializeToString()


class TracingTests(IntegrationCase):
    """One collector, and a daemon whose variables name it."""

    if not find_spec("opentelemetry"):
        skip = "the extra txregistry[otel] is not installed"

    async def collect(self) -> tuple[Collector, dict[str, str]]:
        from twisted.internet import reactor

        collector = Collector()
        port = reactor.listenTCP(0, Site(collector), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        endpoint = f"http://127.0.0.1:{port.getHost().port}"
        return collector, {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SERVICE_NAME": "edge",
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
        }

    async def test_spans(self) -> None:
        """What was traced is sent by the stop at the latest."""
        collector, variables = await self.collect()
        registry = await self.daemon("registry", env=variables)
        await self.http.get(f"{registry.url}/v2/", headers=HEADERS)
        await self.http.get(f"{registry.url}/v2/a/b/manifests/v1")
        await registry.process.end()
        names = {span.name for span in collector.spans}
        self.assertIn("GET /v2/", names)
        self.assertIn("GET /v2/{name}/manifests/{reference}", names)
        self.assertEqual(collector.services, {"edge"})
        ours = [span for span in collector.spans if span.trace_id.hex() == TRACE]
        self.assertEqual(
            [span.parent_span_id.hex() for span in ours],
            [HEADERS["traceparent"][36:52]],
        )
        self.assertNotIn("Traceback", registry.process.text())

    async def test_collector_that_hangs(self) -> None:
        """Requests go on, and a stop does not wait for long."""
        collector, variables = await self.collect()
        collector.hangs = True
        variables["OTEL_BSP_SCHEDULE_DELAY"] = "50"
        registry = await self.daemon("registry", env=variables)
        for _ in range(600):
            response = await self.http.get(f"{registry.url}/v2/")
            self.assertEqual(response.code, 200)
            if collector.requests:
                break
            await sleep(0.1)
        self.assertTrue(collector.requests)
        for _ in range(20):
            response = await self.http.get(f"{registry.url}/v2/")
            self.assertEqual(response.code, 200)
        stopped: Deferred[None] = Deferred.fromCoroutine(registry.process.end())
        await stopped.addTimeout(60, _reactor())

    async def test_off(self) -> None:
        """Without the variables, nothing of the SDK is loaded."""
        registry = await self.daemon("registry", env={"OTEL_SERVICE_NAME": "edge"})
        with open(f"/proc/{registry.process.pid}/maps") as maps:
            self.assertNotIn("google/_upb", maps.read())
        self.assertNotIn("tracing", registry.process.text())


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
