"""The same requests to us and to Debian's docker-registry: every difference is listed.

``differences.yml`` has one entry per step and aspect: what we say, what they say, and
why. A difference that is not there fails, and so does an entry that is not one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import bcrypt
import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.scenarios import blobs, lists, manifests, refusals, uploads
from tests.integration.scenarios.player import Player, Seen
from tests.integration.scenarios.step import Step
from tests.integration.support import IntegrationCase, Registry, free_port, require

#: A configuration that deletes.
DELETES: dict[str, Any] = {"delete": {"enabled": True}}

#: What answers say about the content they bring.
OF_CONTENT = {
    "Accept-Ranges",
    "Cache-Control",
    "Content-Length",
    "Content-Type",
    "Docker-Content-Digest",
    "ETag",
    "body",
    "sorted",
}

LISTED = Path(__file__).with_name("differences.yml")

REGISTRY: Sequence[Step] = [
    *lists.BASE,
    *lists.CATALOGUE,
    *lists.TAGS,
    *lists.NAMES_TABLE,
    *manifests.PUT_AND_GET,
    *manifests.PUT_WRONG,
    *manifests.DELETE,
    *blobs.READ,
    *blobs.DELETE,
    *blobs.MOUNT,
    *uploads.WHOLE,
    *uploads.CHUNKS,
    *uploads.TYPES,
    *uploads.RANGES,
    *uploads.ENDS,
    *uploads.STATES,
]

SCENARIOS: Sequence[Sequence[Step]] = (
    REGISTRY,
    refusals.CACHE,
    refusals.READ_ONLY,
    refusals.NO_DELETES,
    refusals.CHALLENGES_BEARER,
    refusals.CHALLENGES_BASIC,
)


@attrs.frozen
class Difference:
    """What the two say about one aspect of one step."""

    step: str
    aspect: str
    ours: Any
    theirs: Any


@attrs.frozen
class Listing:
    """The file of differences.

    :ivar reasons: by the name that entries give as ``why``.
    """

    reasons: Mapping[str, str]
    steps: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @classmethod
    def read(cls) -> Listing:
        content = yaml.safe_load(LISTED.read_text())
        return cls(content["reasons"], content["steps"])

    def of(self, steps: Iterable[Step]) -> set[Difference]:
        return {
            Difference(step.name, aspect, facts["ours"], facts["theirs"])
            for step in steps
            for aspect, facts in self.steps.get(step.name, {}).items()
        }


def compare(
    ours: Mapping[str, Seen], theirs: Mapping[str, Seen]
) -> Iterable[Difference]:
    """Find every difference between two plays of one scenario.

    Where only one of the two failed, or sent on, or has content at all, what
    describes the content cannot be compared.
    """
    for name, mine in ours.items():
        their = theirs[name]
        aspects = mine.keys() | their.keys()
        if mine["status"] // 100 != their["status"] // 100:
            aspects -= OF_CONTENT
        for aspect in aspects:
            if mine.get(aspect) != their.get(aspect):
                yield Difference(name, aspect, mine.get(aspect), their.get(aspect))


def in_file(differences: Iterable[Difference]) -> str:
    """Write differences as they stand in the file."""
    steps: dict[str, dict[str, Any]] = {}
    for each in sorted(differences, key=lambda each: (each.step, each.aspect)):
        facts = {"ours": each.ours, "theirs": each.theirs, "why": "?"}
        steps.setdefault(each.step, {})[each.aspect] = facts
    written: str = yaml.safe_dump(
        steps, sort_keys=False, default_flow_style=None, width=999
    )
    return written


class ListingTests(SynchronousTestCase):
    """The file of differences, by itself."""

    def test_steps_have_names_of_their_own(self) -> None:
        """No two steps share a name."""
        names = [step.name for steps in SCENARIOS for step in steps]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_every_listed_step_is_played(self) -> None:
        """The file names no step that no scenario has."""
        played = {step.name for steps in SCENARIOS for step in steps}
        self.assertEqual(set(Listing.read().steps) - played, set())

    def test_every_difference_has_a_reason(self) -> None:
        """Each entry gives a reason that is explained, and each reason is needed."""
        listing = Listing.read()
        given = {
            facts["why"]
            for aspects in listing.steps.values()
            for facts in aspects.values()
        }
        self.assertEqual(given, set(listing.reasons))


class DifferenceTests(IntegrationCase):
    """Two registries, one conversation."""

    async def both(
        self, storage: Mapping[str, Any] | None = None, **merge: Any
    ) -> tuple[Registry, Registry]:
        """Start both on the same configuration.

        :param storage: further sections of ``storage``.
        """
        require("docker-registry")
        started = []
        for name, start in (("ours", self.daemon), ("theirs", self.debian_registry)):
            root = {"rootdirectory": str(self.directory / name)}
            port = free_port()
            sections = {
                "http": {
                    "addr": f"127.0.0.1:{port}",
                    "secret": "known to both",
                    "headers": {"X-Content-Type-Options": ["nosniff"]},
                },
                "storage": {"filesystem": root, **(storage or DELETES)},
                "compatibility": {"schema1": {"enabled": True}},
                **merge,
            }
            started.append(await start(name, port=port, merge=sections))
        return started[0], started[1]

    async def check(self, steps: Sequence[Step], *registries: Registry) -> None:
        ours, theirs = [await Player(each.port).play(steps) for each in registries]
        found, listed = set(compare(ours, theirs)), Listing.read().of(steps)
        if found != listed:
            self.fail(
                f"not listed:\n{in_file(found - listed)}\n"
                f"listed, but not so:\n{in_file(listed - found)}"
            )

    async def test_as_registries(self) -> None:
        """We differ from docker-registry only in what is listed."""
        await self.check(REGISTRY, *await self.both())

    async def test_as_caches(self) -> None:
        """Two caches of one upstream refuse the same."""
        upstream = await self.debian_registry()
        both = await self.both(proxy={"remoteurl": upstream.url})
        await self.check(refusals.CACHE, *both)

    async def test_read_only(self) -> None:
        """Two registries under maintenance refuse the same."""
        storage = DELETES | {"maintenance": {"readonly": {"enabled": True}}}
        await self.check(refusals.READ_ONLY, *await self.both(storage))

    async def test_without_deletes(self) -> None:
        """Two registries that delete nothing refuse the same."""
        storage = {"delete": {"enabled": False}}
        await self.check(refusals.NO_DELETES, *await self.both(storage))

    async def test_bearer_challenges(self) -> None:
        """Two registries that want a token ask for the same."""
        auth = {"silly": {"realm": "https://auth.example/token", "service": "reg"}}
        both = await self.both(auth=auth)
        await self.check(refusals.CHALLENGES_BEARER, *both)

    async def test_basic_challenges(self) -> None:
        """Two registries that want a password ask for the same."""
        path = self.directory / "htpasswd"
        entry = bcrypt.hashpw(b"pass", bcrypt.gensalt(4)).decode("ascii")
        path.write_text(f"user:{entry}\n")
        both = await self.both(auth={"htpasswd": {"realm": "here", "path": str(path)}})
        await self.check(refusals.CHALLENGES_BASIC, *both)
