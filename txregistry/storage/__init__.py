"""The local registry: distribution's directory tree on any storage driver."""
