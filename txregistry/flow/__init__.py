"""Helpers for Twisted, without registry knowledge."""
