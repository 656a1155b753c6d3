"""Which media types a client takes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.accept import accepts


class AcceptTests(SynchronousTestCase):
    """Content negotiation."""

    def test_accepts(self) -> None:
        """Wildcards, several lines, and q-values count."""
        kind = mediatypes.OCI_MANIFEST
        for headers, expected in (
            ([], True),
            ([""], True),
            (["*/*"], True),
            (["application/*"], True),
            ([kind], True),
            (["text/html", kind], True),
            ([f"{kind};q=0.1"], True),
            (["text/*"], False),
            ([mediatypes.OCI_INDEX], False),
            ([f"{kind};q=0"], False),
            ([f"{kind};q=0, */*"], False),
            (["*/*;q=0"], False),
            ([f"application/*;q=0,{kind}"], True),
            ([f"{kind};q=junk"], True),
            ([f" {kind.upper()} ; x=y"], True),
        ):
            self.assertEqual((headers, accepts(headers, kind)), (headers, expected))
