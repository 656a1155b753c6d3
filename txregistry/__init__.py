"""A container registry and pull-through edge cache on Twisted."""

__version__ = "0.1.0"

#: What we say to an upstream that we are (RFC 9110, 10.1.5).
USER_AGENT = f"txregistry/{__version__} (+https://github.com/txregistry/txregistry)"
