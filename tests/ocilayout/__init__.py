"""Tests of :mod:`txregistry.ocilayout`."""
