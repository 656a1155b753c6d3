"""What all repositories of one cache share."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.changes import ChangeTimes
from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IContent, ILinkIndex
from txregistry.interfaces.driver import DriverError, refused_by_disk
from txregistry.interfaces.expiry import EntryKey, ITagMemory, IUsage, LedgerAway
from txregistry.interfaces.observe import IMeter
from txregistry.interfaces.ratelimit import IRateLimit
from txregistry.proxy.behind import Behind
from txregistry.proxy.fills import Fills
from txregistry.proxy.pending_tags import PendingTags
from txregistry.proxy.rights import Rights
from txregistry.proxy.tag_answers import TagAnswers, make_tag_answers
from txregistry.proxy.tag_lists import TagLists
from txregistry.spec.digest import Digest
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.reference import RepositoryName

#: Tells whether a stored repository is of one upstream.
IsOurs = Callable[[RepositoryName], bool]


def all_are_ours(name: RepositoryName) -> bool:
    """Tell that a repository is of the upstream: there is no other one."""
    return True


@implementer(IRateLimit)
@attrs.frozen
class Unlimited:
    """Has every question asked."""

    is_short: bool = False

    def take(self) -> bool:
        """Permit a question."""
        return True


@attrs.frozen
class CacheContext:
    """The state of one cache.

    :ivar content: stored content, whichever repository fetched it.
    :ivar policy: how long an answer about a tag is fresh, and may be stale.
    :ivar usage: records uses, for expiry.
    :ivar confirmations: when tags were last confirmed, across restarts.
    :ivar index: which repositories have content, of all upstreams.
    :ivar started_at: when this cache began, in seconds since the epoch.
    :ivar rights: whether the upstream still gives what is stored.
    :ivar pending: tags that wait for their manifest.
    :ivar tag_lists: whole lists of tags.
    :ivar answers: the last answers about tags.
    :ivar upstream: which one it is, for what several processes and reloads remember.
    :ivar behind: asks the upstream behind answers.
    :ivar rate_limit: spares the upstream questions that can be done without.
    :ivar changes: notes when a tag stands for something else, or nobody knows for what.
    :ivar is_ours: tells which stored repositories are of this upstream.
    """

    content: IContent
    fills: Fills
    policy: TagPolicy
    usage: IUsage
    confirmations: ITagMemory
    index: ILinkIndex
    meter: IMeter
    clock: IReactorTime
    started_at: float
    rights: Rights
    tag_lists: TagLists
    pending: PendingTags = attrs.field(factory=PendingTags)
    answers: TagAnswers = attrs.field(factory=make_tag_answers)
    upstream: str = ""
    behind: Behind = attrs.field(factory=Behind)
    rate_limit: IRateLimit = attrs.field(factory=Unlimited)
    is_ours: IsOurs = all_are_ours
    changes: ChangeTimes = attrs.field(factory=ChangeTimes)

    @deferred
    async def has_been_given(self, digest: Digest) -> bool:
        """Fire with whether a repository of this upstream holds some content.

        Content that only local repositories or those of other upstreams hold says
        nothing of this one. It fires with false also while the ledger is away.
        """
        try:
            holders = await self.index.holders(digest=digest)
        except LedgerAway:
            return False
        return any(map(self.is_ours, holders))

    def confirm_tag(
        self, key: EntryKey, digest: Digest, at: float | None = None
    ) -> None:
        """Remember that the upstream's tag is this manifest now, or was at a time."""
        when = self.clock.seconds() if at is None else at
        self.confirmations.confirm(key, when, self._what(digest))

    def tag_confirmed_at(self, key: EntryKey, digest: Digest) -> Deferred[float | None]:
        """Fire with when this upstream, at any process, last said so of a tag."""
        return self.confirmations.confirmed_at(key=key, what=self._what(digest))

    def pass_over(self, kind: str, error: DriverError) -> None:
        """Go on without something that the disk does not take, and tell of it.

        :param kind: ``manifest`` or ``tag``.
        :raise DriverError: it is another error, or clients are to be refused.
        """
        passing = self.fills.passing
        if not refused_by_disk(error) or not passing.is_allowed:
            raise error
        passing.tell(self.meter, kind, error, self.clock.seconds())

    def _what(self, digest: Digest) -> str:
        return f"{self.upstream} {digest}"


def renewed_context(
    context: CacheContext,
    policy: TagPolicy,
    recheck_seconds: float,
    is_same: bool,
    upstream: str,
) -> CacheContext:
    """Return the state of a cache with other settings; it shares the fills.

    :param is_same: upstream and credentials are unchanged; if not, no remembered
        answer is kept.
    """
    fresh = make_cache_context(
        context.content,
        context.fills,
        policy,
        context.usage,
        context.confirmations,
        context.index,
        context.meter,
        context.clock,
        recheck_seconds,
        upstream,
        context.behind,
        context.rate_limit,
        context.is_ours,
        context.changes,
    )
    if not is_same:
        return fresh
    return attrs.evolve(
        fresh,
        started_at=context.started_at,
        pending=context.pending,
        answers=context.answers,
    )


def make_cache_context(
    content: IContent,
    fills: Fills,
    policy: TagPolicy,
    usage: IUsage,
    confirmations: ITagMemory,
    index: ILinkIndex,
    meter: IMeter,
    clock: IReactorTime,
    recheck_seconds: float,
    upstream: str = "",
    behind: Behind | None = None,
    rate_limit: IRateLimit | None = None,
    is_ours: IsOurs = all_are_ours,
    changes: ChangeTimes | None = None,
) -> CacheContext:
    """Make the state of a new cache.

    :param recheck_seconds: after which the upstream is asked again whether a repository
        may have what is stored; 0 for never.
    :param upstream: which one it is.
    :param behind: asks it behind answers; its owner starts and stops it.
    :param rate_limit: of the upstream, if that is known.
    :param is_ours: tells which stored repositories are of it.
    :param changes: notes what tags stand for.
    """
    return CacheContext(
        content,
        fills,
        policy,
        usage,
        confirmations,
        index,
        meter,
        clock,
        clock.seconds(),
        Rights(recheck_seconds, confirmations, clock, upstream, policy.errors),
        TagLists(policy),
        upstream=upstream,
        behind=Behind() if behind is None else behind,
        rate_limit=Unlimited() if rate_limit is None else rate_limit,
        is_ours=is_ours,
        changes=ChangeTimes() if changes is None else changes,
    )
