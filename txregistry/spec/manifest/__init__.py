"""Manifests, one module per family; bytes are kept verbatim."""
