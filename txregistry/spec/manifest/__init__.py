"""Manifests, one module per family; their bytes are never changed."""
