"""An upstream as a namespace."""

from __future__ import annotations

from tests.namespaces import Remote
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import namespace_suite

RemoteTests = namespace_suite(lambda case: Remote(case, TestHouse()))
