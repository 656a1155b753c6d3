"""Upstreams as they are: what one answers, and what a client must get."""
