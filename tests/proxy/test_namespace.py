"""A cache as a namespace."""

from __future__ import annotations

from tests.namespaces import Proxy, on_disk
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import namespace_suite

ProxyMemoryTests = namespace_suite(lambda case: Proxy(case, TestHouse()))
ProxyFilesystemTests = namespace_suite(lambda case: Proxy(case, on_disk(case)))
