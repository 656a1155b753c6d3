"""Clients, upstreams and files that mean harm, and what they do not achieve."""
