"""What all uploads to one repository share."""

from __future__ import annotations

import attrs

from txregistry.interfaces.blobs import IBlobDescriptorService
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.store import Content
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.uploads.hashing import HashStates
from txregistry.storage.uploads.pending_uploads import PendingUploads


@attrs.frozen
class UploadContext:
    """A repository, and what its uploads are written to.

    :ivar descriptors: caches descriptors of committed blobs.
    :ivar pending: uploads that exist only in memory.
    :ivar states: of digests, so that another request can resume them.
    :ivar reconciler: records that the repository exists.
    """

    name: RepositoryName
    driver: IStorageDriver
    content: Content
    descriptors: IBlobDescriptorService
    pending: PendingUploads
    states: HashStates
    reconciler: Reconciler
