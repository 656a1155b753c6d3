"""Which errors of an upstream are obeyed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import (
    BlobUnknown,
    Denied,
    ManifestInvalid,
    ManifestUnknown,
    NameUnknown,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from txregistry.spec.onerror import (
    DEFAULTS,
    ErrorPolicy,
    kind_of_error,
    problems_of_rules,
)

#: Each error for which there is a rule.
ERRORS: dict[str, list[RegistryError]] = {
    "401": [Unauthorized({"status": 401})],
    "403": [Denied({"status": 403})],
    "404": [ManifestUnknown(), BlobUnknown(), NameUnknown()],
    "429": [TooManyRequests({"status": 429}, 5.0)],
    "5xx": [
        UpstreamFailed({"status": 500}),
        UpstreamFailed({"status": 503}),
        UpstreamUnavailable({"path": "/v2/a/manifests/b"}),
    ],
}

#: No answer, or none that can be used.
SILENCE: list[RegistryError] = [
    UpstreamTimeout(),
    UpstreamFailed({"reason": "cannot be reached"}),
    UpstreamFailed({"reason": "sent no manifest"}),
    UpstreamFailed({"status": 418}),
    UpstreamUnavailable({"reason": "failed repeatedly"}),
]


class PolicyTests(SynchronousTestCase):
    """Rules, and errors without one."""

    def test_each_rule(self) -> None:
        """Each decides about its own errors, and about no other."""
        for kind, errors in ERRORS.items():
            only = ErrorPolicy(frozenset((kind,)))
            for other, found in ERRORS.items():
                for error in found:
                    self.assertEqual(kind_of_error(error), other, error)
                    self.assertEqual(only.serves_stale(error), kind == other, error)
            self.assertTrue(errors)
        self.assertEqual(set(ERRORS), set(DEFAULTS))

    def test_defaults(self) -> None:
        """Refusals are obeyed, failures are not."""
        found = {
            kind: ErrorPolicy().serves_stale(errors[0])
            for kind, errors in ERRORS.items()
        }
        obeyed = dict.fromkeys(("401", "403", "404"), False)
        self.assertEqual(found, {**obeyed, "429": True, "5xx": True})
        self.assertEqual(ErrorPolicy.of({}), ErrorPolicy())

    def test_rules_are_merged(self) -> None:
        """Who gives one rule keeps the others."""
        policy = ErrorPolicy.of({"401": "stale", "5xx": "obey"})
        self.assertEqual(policy.stale, {"401", "429"})

    def test_silence(self) -> None:
        """Without an answer there is nothing to obey, whatever the rules say."""
        obeying = ErrorPolicy.of(dict.fromkeys(DEFAULTS, "obey"))
        for error in SILENCE:
            self.assertIsNone(kind_of_error(error), error)
            self.assertTrue(obeying.serves_stale(error), error)

    def test_errors_of_our_own(self) -> None:
        """What is no error of the upstream is never replaced by older content."""
        everything = ErrorPolicy.of(dict.fromkeys(DEFAULTS, "stale"))
        self.assertFalse(everything.serves_stale(ManifestInvalid()))

    def test_problems(self) -> None:
        """A name that is none, and an action that is none."""
        told = list(problems_of_rules({"402": "stale", "403": "maybe", "404": "obey"}))
        self.assertEqual(
            told,
            [
                "402: expected 401 or 403 or 404 or 429 or 5xx as its name",
                "403: expected obey or stale, found 'maybe'",
            ],
        )
