"""Lets ``twistd`` find the ``registry`` command."""

from twisted.application.service import ServiceMaker

registry = ServiceMaker(
    "registry",
    "txregistry.tap",
    "A container registry and pull-through edge cache.",
    "registry",
)
