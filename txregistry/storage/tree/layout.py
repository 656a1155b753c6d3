"""The paths of all files: distribution's tree, to the byte, and ours beside it.

::

    /docker/registry/v2/
      blobs/<alg>/<first two hex>/<hex>/data
      repositories/<name>/
        _layers/<alg>/<hex>/link
        _manifests/revisions/<alg>/<hex>/link
        _manifests/revisions/<alg>/<hex>/signatures/<alg>/<hex>/link
        _manifests/tags/<tag>/current/link
        _manifests/tags/<tag>/index/<alg>/<hex>/link
        _uploads/<id>/data
        _uploads/<id>/startedat
        _uploads/<id>/hashstates/<alg>/<offset>
    /scheduler-state.json
    /txregistry/
      fills/<alg>/<hex>/data
      fills/<alg>/<hex>/state
      damaged/<alg>/<hex>.<seconds since the epoch>
      pins.json

A ``link`` file holds a digest as text, without a newline.
"""

from __future__ import annotations

import re
from math import inf

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

ROOT = "/docker/registry/v2"
BLOBS = f"{ROOT}/blobs"
REPOSITORIES = f"{ROOT}/repositories"
OWN = "/txregistry"
FILLS = f"{OWN}/fills"
DAMAGED = f"{OWN}/damaged"
PINS = f"{OWN}/pins.json"
JOURNAL = f"{OWN}/journal"
SCHEDULER_STATE = "/scheduler-state.json"

#: Directories of a repository that cannot be part of a longer name.
LAYERS, MANIFESTS, UPLOADS = "_layers", "_manifests", "_uploads"


def _by_digest(parent: str, digest: Digest) -> str:
    return f"{parent}/{digest.algorithm}/{digest.hex}"


def blob(digest: Digest) -> str:
    """Give the directory of some content."""
    return f"{BLOBS}/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


def blob_data(digest: Digest) -> str:
    """Give the file of some content."""
    return f"{blob(digest)}/data"


def repository(name: RepositoryName) -> str:
    """Give the directory of a repository; others may lie below it."""
    return f"{REPOSITORIES}/{name}"


def layers(name: RepositoryName) -> str:
    """Give the directory of a repository's layer links."""
    return f"{repository(name)}/{LAYERS}"


def layer_link(name: RepositoryName, digest: Digest) -> str:
    """Give the link that makes content a blob of a repository."""
    return f"{_by_digest(layers(name), digest)}/link"


def revisions(name: RepositoryName) -> str:
    """Give the directory of a repository's manifest links."""
    return f"{repository(name)}/{MANIFESTS}/revisions"


def revision(name: RepositoryName, digest: Digest) -> str:
    """Give the directory of a manifest in a repository."""
    return _by_digest(revisions(name), digest)


def revision_link(name: RepositoryName, digest: Digest) -> str:
    """Give the link that makes content a manifest of a repository."""
    return f"{revision(name, digest)}/link"


def signatures(name: RepositoryName, digest: Digest) -> str:
    """Give the directory of a manifest's signature links."""
    return f"{revision(name, digest)}/signatures"


def signature_link(name: RepositoryName, digest: Digest, signature: Digest) -> str:
    """Give the link that makes content a signature of a manifest."""
    return f"{_by_digest(signatures(name, digest), signature)}/link"


def tags(name: RepositoryName) -> str:
    """Give the directory of a repository's tags."""
    return f"{repository(name)}/{MANIFESTS}/tags"


def tag(name: RepositoryName, tag: Tag) -> str:
    """Give the directory of a tag."""
    return f"{tags(name)}/{tag}"


def tag_current(name: RepositoryName, of: Tag) -> str:
    """Give the link to what a tag stands for now."""
    return f"{tag(name, of)}/current/link"


def tag_index(name: RepositoryName, of: Tag, digest: Digest) -> str:
    """Give the link to something a tag stands for or has stood for."""
    return f"{_by_digest(f'{tag(name, of)}/index', digest)}/link"


def uploads(name: RepositoryName) -> str:
    """Give the directory of a repository's uploads."""
    return f"{repository(name)}/{UPLOADS}"


def upload(name: RepositoryName, upload_id: str) -> str:
    """Give the directory of an upload."""
    return f"{uploads(name)}/{upload_id}"


def upload_data(name: RepositoryName, upload_id: str) -> str:
    """Give the file of an upload's bytes."""
    return f"{upload(name, upload_id)}/data"


def upload_started_at(name: RepositoryName, upload_id: str) -> str:
    """Give the file that says when an upload began, in RFC 3339."""
    return f"{upload(name, upload_id)}/startedat"


def upload_hash_states(name: RepositoryName, upload_id: str) -> str:
    """Give the directory of an upload's resumable digests."""
    return f"{upload(name, upload_id)}/hashstates"


def damaged(digest: Digest, at: int) -> str:
    """Give the file of content that was damaged when it was set aside."""
    return f"{_by_digest(DAMAGED, digest)}.{at}"


def damaged_at(path: str) -> float:
    """Tell when a file was set aside, in seconds since the epoch, if it was."""
    digits = re.search(r"/[0-9a-f]{64,}\.([0-9]{1,15})$", path)
    return inf if digits is None else float(digits[1])


def fill(digest: Digest) -> str:
    """Give the directory of a partial blob."""
    return _by_digest(FILLS, digest)


def fill_data(digest: Digest) -> str:
    """Give the growing file of a partial blob."""
    return f"{fill(digest)}/data"


def fill_state(digest: Digest) -> str:
    """Give the file that holds the checkpoint of a partial blob."""
    return f"{fill(digest)}/state"
