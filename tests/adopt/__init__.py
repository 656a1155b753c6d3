"""Tests of ``txregistry.adopt``."""
