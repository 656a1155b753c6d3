"""A library that lacks a name which we rely on is not used."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.private_names import require_names


class Library:
    """Stands for a class of a library."""

    limit = 1


class RequireNamesTests(SynchronousTestCase):
    """Names that have gone are noticed before anything depends on them."""

    def test_there(self) -> None:
        """Of a class, or of an object with what it sets itself."""
        library = Library()
        library._size = 2  # type: ignore[attr-defined]
        require_names(Library, "limit")
        require_names(library, "limit", "_size")

    def test_gone(self) -> None:
        """What lacks is named, and where."""
        for owner in (Library, Library()):
            error = self.assertRaises(
                ImportError, require_names, owner, "limit", "_size", "_data"
            )
            self.assertIn("test_private_names.Library has no _size, _data", str(error))
