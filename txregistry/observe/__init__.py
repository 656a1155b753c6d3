"""Observability: logs, metrics and the debug listener."""
