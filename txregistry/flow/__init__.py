"""Twisted plumbing that knows no registry."""
