"""Where everything lies, as distribution has it."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout

NAME, TAG = RepositoryName.parse("team/app"), Tag.parse("v1")
A, B = Digest("sha256", "ab" + "1" * 62), Digest("sha512", "cd" + "2" * 126)
TREE = "/docker/registry/v2"
OF_NAME = f"{TREE}/repositories/team/app"
REVISION = f"{OF_NAME}/_manifests/revisions/sha256/{A.hex}"


class LayoutTests(SynchronousTestCase):
    """Paths to the byte."""

    def test_distribution(self) -> None:
        """These are the paths of Docker's registry."""
        for found, expected in (
            (layout.blob_data(A), f"{TREE}/blobs/sha256/ab/{A.hex}/data"),
            (layout.blob_data(B), f"{TREE}/blobs/sha512/cd/{B.hex}/data"),
            (layout.repository(NAME), OF_NAME),
            (layout.layer_link(NAME, A), f"{OF_NAME}/_layers/sha256/{A.hex}/link"),
            (
                layout.revision_link(NAME, A),
                f"{REVISION}/link",
            ),
            (
                layout.signature_link(NAME, A, B),
                f"{REVISION}/signatures/sha512/{B.hex}/link",
            ),
            (
                layout.tag_current(NAME, TAG),
                f"{OF_NAME}/_manifests/tags/v1/current/link",
            ),
            (
                layout.tag_index(NAME, TAG, A),
                f"{OF_NAME}/_manifests/tags/v1/index/sha256/{A.hex}/link",
            ),
            (layout.upload_data(NAME, "u-1"), f"{OF_NAME}/_uploads/u-1/data"),
            (layout.upload_started_at(NAME, "u"), f"{OF_NAME}/_uploads/u/startedat"),
            (layout.upload_hash_states(NAME, "u"), f"{OF_NAME}/_uploads/u/hashstates"),
        ):
            self.assertEqual(found, expected)
        self.assertEqual(layout.SCHEDULER_STATE, "/scheduler-state.json")

    def test_within_one_another(self) -> None:
        """Who deletes a directory deletes what belongs to it, and nothing else."""
        for inner, outer in (
            (layout.blob_data(A), layout.blob(A)),
            (layout.revision_link(NAME, A), layout.revision(NAME, A)),
            (layout.signature_link(NAME, A, B), layout.revision(NAME, A)),
            (layout.tag_current(NAME, TAG), layout.tag(NAME, TAG)),
            (layout.tag_index(NAME, TAG, A), layout.tag(NAME, TAG)),
            (layout.upload_hash_states(NAME, "u"), layout.upload(NAME, "u")),
            (layout.fill_data(A), layout.fill(A)),
            (layout.fill_state(A), layout.fill(A)),
        ):
            self.assertTrue(inner.startswith(f"{outer}/"), inner)

    def test_ours(self) -> None:
        """What distribution does not know lies in a directory of ours."""
        for path in (layout.fill(A), layout.damaged(A, 7), layout.JOURNAL):
            self.assertTrue(path.startswith("/txregistry/"), path)

    def test_damaged(self) -> None:
        """The name of what was set aside tells when; of any other file it does not."""
        for digest in (A, B):
            self.assertEqual(layout.damaged_at(layout.damaged(digest, 1234)), 1234.0)
        for path in (
            layout.blob_data(A),
            f"{layout.DAMAGED}/sha256/{A.hex}",
            f"{layout.DAMAGED}/sha256/{A.hex}.x",
            f"{layout.DAMAGED}/sha256/{A.hex}.{'9' * 16}",
            f"{layout.DAMAGED}/notes.1",
        ):
            self.assertEqual(layout.damaged_at(path), inf, path)
