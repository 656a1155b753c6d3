"""What all uploads to one repository work with."""

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
    """A repository, and where what is uploaded to it goes.

    :ivar descriptors: is told what has come.
    :ivar pending: uploads that are in memory alone.
    :ivar states: of digests, so that another request can go on with them.
    :ivar reconciler: is told that the repository exists.
    """

    name: RepositoryName
    driver: IStorageDriver
    content: Content
    descriptors: IBlobDescriptorService
    pending: PendingUploads
    states: HashStates
    reconciler: Reconciler
