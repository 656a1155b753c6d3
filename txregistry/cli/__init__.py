"""The ``txregistry`` command."""
