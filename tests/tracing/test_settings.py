"""What the standard variables ask for."""

from __future__ import annotations

import sys
from types import ModuleType
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.tracing import Tracing, build_tracing
from txregistry.tracing.settings import NotTraced, is_wanted, names_service

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


class WantedTests(SynchronousTestCase):
    """When spans are exported."""

    def test_on(self) -> None:
        """With an endpoint, or the exporter by its name."""
        for found in (
            ENDPOINT,
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"},
            {"OTEL_TRACES_EXPORTER": "otlp"},
            {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            {**ENDPOINT, "OTEL_SDK_DISABLED": "false"},
        ):
            self.assertTrue(is_wanted(found), found)

    def test_off(self) -> None:
        """Without, or if they say so."""
        for found in (
            {},
            {"OTEL_SERVICE_NAME": "x"},
            {**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"},
            {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        ):
            self.assertFalse(is_wanted(found), found)

    def test_what_there_is_not(self) -> None:
        """Other exporters and protocols are told, and not traced."""
        for found in (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            {**ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
        ):
            self.assertRaises(NotTraced, is_wanted, found)
            self.assertIn("no tracing", build_tracing(found, Clock()).warning)

    def test_name(self) -> None:
        """The variables may name the service in two ways."""
        self.assertTrue(names_service({"OTEL_SERVICE_NAME": "edge"}))
        named = {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=edge"}
        self.assertTrue(names_service(named))
        self.assertFalse(names_service({"OTEL_RESOURCE_ATTRIBUTES": "a=b"}))

    def test_nothing_is_imported(self) -> None:
        """While it is off, nor is it missed."""
        with mock.patch.dict(sys.modules, {"opentelemetry": None}):
            self.assertEqual(build_tracing({}, Clock()), Tracing())

    def test_missing(self) -> None:
        """Without the extra there is one warning, that says what to install."""
        hidden: dict[str, ModuleType | None] = {"txregistry.tracing.otel": None}
        with mock.patch.dict(sys.modules, hidden):  # type: ignore[arg-type]
            found = build_tracing(ENDPOINT, Clock())
        self.assertIsNone(found.tracer)
        self.assertIn("install txregistry[otel]", found.warning)
