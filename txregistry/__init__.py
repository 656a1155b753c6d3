"""A container registry and pull-through edge cache on Twisted."""

__version__ = "0.1.0"
