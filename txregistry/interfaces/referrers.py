"""Contracts for referrers: manifests that name another one as their subject."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.spec.descriptor import Descriptor, annotations_bytes
from txregistry.spec.digest import Digest

#: What an entry takes beside its descriptor and its texts, about.
_BYTES = 250


@attrs.frozen
class Referrer:
    """One entry of a list of referrers (OCI distribution-spec, "Listing Referrers").

    :ivar descriptor: of the manifest that refers.
    """

    descriptor: Descriptor
    artifact_type: str | None = None
    annotations: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def memory_bytes(self) -> int:
        """Count the bytes that it takes in memory, about."""
        kind = _BYTES + getsizeof(self.artifact_type or "")
        return self.descriptor.memory_bytes + kind + annotations_bytes(self.annotations)


#: Sorted by digest.
Referrers = list[Referrer]


class IReferrerService(Interface):
    """Who refers to the manifests of one repository."""

    page_size: int | None = Attribute(
        "How many are asked for together, as each may hold megabytes of annotations;"
        " ``None`` where all that there are have been read anyway."
    )

    def list(
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Deferred[Referrers]:
        """Fire with the manifests whose subject is ``digest``; perhaps none.

        A manifest that nobody has can be referred to as well.

        :param artifact_type: only those of this type.
        :param after: only those whose digest sorts after this text.
        """
