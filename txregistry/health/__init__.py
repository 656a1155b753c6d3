"""Health checks: whether this registry can be relied on."""
