"""What the standard variables of OpenTelemetry ask for, without importing it."""

from __future__ import annotations

from collections.abc import Mapping

#: Protocols that the exporter of ``txregistry[otel]`` speaks.
_PROTOCOLS = ("", "http/protobuf")


class NotTraced(Exception):
    """Tracing is asked for and cannot be had; the text says why."""


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether spans are to be exported.

    They are if ``OTEL_TRACES_EXPORTER`` names ``otlp``, or if it is not set and an
    endpoint is; never with ``OTEL_SDK_DISABLED=true``.

    :raise NotTraced: only exporters or protocols are named that there are not.
    """
    if _value(environment, "OTEL_SDK_DISABLED").lower() == "true":
        return False
    named = _value(environment, "OTEL_TRACES_EXPORTER").lower()
    if not named:
        if not _has_endpoint(environment):
            return False
    elif named == "none":
        return False
    elif "otlp" not in [name.strip() for name in named.split(",")]:
        raise NotTraced(f"OTEL_TRACES_EXPORTER={named}: the only exporter is otlp")
    protocol = _protocol(environment)
    if protocol not in _PROTOCOLS:
        raise NotTraced(f"OTLP over {protocol}: the only protocol is http/protobuf")
    return True


def names_service(environment: Mapping[str, str]) -> bool:
    """Tell whether the variables name the service."""
    attributes = _value(environment, "OTEL_RESOURCE_ATTRIBUTES")
    return bool(_value(environment, "OTEL_SERVICE_NAME")) or any(
        item.partition("=")[0].strip() == "service.name"
        for item in attributes.split(",")
    )


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip()


def _has_endpoint(environment: Mapping[str, str]) -> bool:
    name = "OTEL_EXPORTER_OTLP_{}ENDPOINT"
    return any(_value(environment, name.format(part)) for part in ("", "TRACES_"))


def _protocol(environment: Mapping[str, str]) -> str:
    name = "OTEL_EXPORTER_OTLP_{}PROTOCOL"
    specific = _value(environment, name.format("TRACES_"))
    return specific or _value(environment, name.format(""))
