"""What a client is asked for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.challenges import basic, bearer, quote, scope_of, unauthorized
from txregistry.interfaces.access import Access
from txregistry.spec.challenge import Challenge, parse_challenges

PULL = Access("repository", "a/b", "pull")
PUSH = Access("repository", "a/b", "push")
CATALOG = Access("registry", "catalog", "*")


class ChallengeTests(SynchronousTestCase):
    """Values of ``WWW-Authenticate``."""

    def test_quoted(self) -> None:
        """Quotes and backslashes are escaped, so that a client reads what is meant."""
        realm = 'a "b" \\ c'
        self.assertEqual(quote(realm), r'"a \"b\" \\ c"')
        self.assertEqual(
            parse_challenges([basic(realm)]), [Challenge("basic", {"realm": realm})]
        )

    def test_bearer(self) -> None:
        """Realm, service, scope and error, in this order and without spaces."""
        self.assertEqual(
            bearer("https://a/t", "s", [PULL, PUSH], "insufficient_scope"),
            'Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"'
            ',error="insufficient_scope"',
        )

    def test_least(self) -> None:
        """A service is always there, scope and error only if there is something."""
        self.assertEqual(bearer("r", "", []), 'Bearer realm="r",service=""')

    def test_scopes(self) -> None:
        """A resource stands once with all its actions, in the order they came in."""
        found = scope_of([PUSH, CATALOG, PULL, PUSH])
        self.assertEqual(found, "repository:a/b:push,pull registry:catalog:*")
        self.assertEqual(scope_of([]), "")

    def test_error(self) -> None:
        """It has the challenge, and lists what was wanted as distribution does."""
        error = unauthorized([PULL], "Basic x")
        self.assertEqual(error.headers, {"WWW-Authenticate": "Basic x"})
        expected = {"Type": "repository", "Class": "", "Name": "a/b", "Action": "pull"}
        self.assertEqual(error.detail, [expected])
        self.assertIsNone(unauthorized([], "").detail)
        self.assertEqual(unauthorized([], "").headers, {})
