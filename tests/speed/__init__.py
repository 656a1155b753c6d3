"""Tests of what is done for speed alone."""
