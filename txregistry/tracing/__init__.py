"""Tracing by OpenTelemetry, for whoever asks for it by the standard variables."""
