"""Which upstream a request is for, and what its repository is called there (pure).

A request names its upstream by ``ns=`` (OCI distribution-spec, "Registry Proxying"),
else by the first component of the path, else it is for the default upstream. Both ways
lead to one stored name: ``ghcr.io/org/app``, or ``org/app`` at the default upstream, as
Docker distribution stores it. Nobody else is ever asked: an upstream that is not listed
is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import attrs

from txregistry.spec.errors import Denied, NameUnknown, RegistryError
from txregistry.spec.globs import Glob, first_match
from txregistry.spec.reference import RepositoryName

#: What Docker Hub is called. Its images of one component belong to ``library``.
HUB = "docker.io"
HUB_HOSTS = frozenset((HUB, "index.docker.io", "registry-1.docker.io"))
_LIBRARY = "library/"

#: The key of the default upstream.
DEFAULT = ""


@attrs.frozen
class UpstreamNames:
    """The names of one upstream, and which of its repositories are cached.

    :ivar key: the first component of what is stored of it; :data:`DEFAULT` for none.
    :ivar hosts: what clients call it, in lower case, its usual name first.
    :ivar allow: if there are any, only names that match one are cached.
    :ivar deny: names that match one are not.
    :ivar listed: those of its hosts that are its own, whoever has them by its URL.
    """

    key: str
    hosts: tuple[str, ...]
    allow: tuple[Glob, ...] = ()
    deny: tuple[Glob, ...] = ()
    listed: tuple[str, ...] = ()
    is_hub: bool = attrs.field(init=False)

    @is_hub.default
    def _is_hub(self) -> bool:
        return not HUB_HOSTS.isdisjoint(self.hosts)

    def at_upstream(self, name: RepositoryName) -> RepositoryName:
        """Return what a stored repository is called at the upstream."""
        if self.key == DEFAULT:
            return name
        return RepositoryName.parse(name.text.removeprefix(f"{self.key}/"))

    def stored(self, name: RepositoryName) -> RepositoryName:
        """Return what a repository of the upstream is stored as.

        :raise NameInvalid: the stored name is too long.
        """
        text = name.text
        if self.is_hub and "/" not in text:
            text = _LIBRARY + text
        return RepositoryName.parse(f"{self.key}/{text}" if self.key else text)

    def called(self, name: RepositoryName) -> Iterator[str]:
        """Give what clients call a stored repository, its stored name first."""
        yield name.text
        there = self.at_upstream(name).text
        short = there.removeprefix(_LIBRARY) if self.is_hub else there
        for text in dict.fromkeys((there, short)):
            yield from (f"{host}/{text}" for host in self.hosts)
        if self.key == DEFAULT and short != there:
            yield short

    def check(self, name: RepositoryName) -> None:
        """Check that a repository may be cached.

        :param name: what it is called at the upstream.
        :raise Denied: it may not; the detail names the rule.
        """
        where = f"proxy.upstreams.{self.key}" if self.key else "proxy"
        denied = first_match(self.deny, name.text)
        if denied is not None:
            raise Denied({"name": name.text, "rule": f"{where}.deny: {denied}"})
        if self.allow and first_match(self.allow, name.text) is None:
            raise Denied({"name": name.text, "rule": f"{where}.allow: none matches"})


@attrs.frozen
class Named:
    """What a request is about.

    :ivar name: as it is stored.
    :ivar host: what the upstream is called; empty for a local repository.
    """

    name: RepositoryName
    host: str = ""

    @property
    def is_cached(self) -> bool:
        """Return whether it is of an upstream, so that clients cannot change it."""
        return bool(self.host)


@attrs.frozen(eq=False)
class UpstreamTable:
    """All upstreams of a cache, and which repositories are local.

    :ivar default: the one for names that name no other; ``None`` for none.
    :ivar upstreams: the others, by key.
    :ivar local: stored names that match one belong to no upstream.
    """

    default: UpstreamNames | None = None
    upstreams: Mapping[str, UpstreamNames] = attrs.field(factory=dict)
    local: Sequence[Glob] = ()
    _by_host: Mapping[str, UpstreamNames] = attrs.field(init=False)

    @_by_host.default
    def _index(self) -> Mapping[str, UpstreamNames]:
        every = [*([self.default] if self.default else []), *self.upstreams.values()]
        count = Counter(host for names in every for host in set(names.hosts))
        # What several have by their URLs, such as two accounts at one registry, is
        # the name of none of them.
        found = {h: names for names in every for h in names.hosts if count[h] == 1}
        found |= {host: names for names in every for host in names.listed}
        return {**found, **self.upstreams}

    def find(self, namespace: str | None, name: RepositoryName) -> Named:
        """Find the repository that a request names.

        :param namespace: ``ns=`` of the request; ``None`` if there is none.
        :param name: of the path.
        :raise RegistryError: ``NameUnknown`` if it is of no listed upstream,
            ``NameInvalid`` if its stored name would be too long.
        """
        if namespace and not self.is_local_only:
            return self._in_namespace(namespace, name)
        if self.is_local(name):
            return Named(name)
        host, _, rest = name.text.partition("/")
        upstream = self._by_host.get(host.lower()) if rest else None
        if upstream is not None:
            return self._at(upstream, RepositoryName.parse(rest))
        if self.default is None:
            raise _unknown(host)
        if self._is_foreign(host, rest):
            raise _unknown(host)
        return self._at(self.default, name)

    @property
    def is_local_only(self) -> bool:
        """Return whether there is no upstream: a registry."""
        return self.default is None and not self.upstreams

    def upstream_of(self, name: RepositoryName) -> UpstreamNames | None:
        """Return the upstream of a stored name; ``None`` if it is local, or of none."""
        if self.is_local(name):
            return None
        return self.upstreams.get(name.text.partition("/")[0], self.default)

    def called(self, name: RepositoryName) -> Iterator[str]:
        """Give what clients call a stored repository, its stored name first."""
        upstream = self.upstream_of(name)
        return iter((name.text,)) if upstream is None else upstream.called(name)

    def _in_namespace(self, namespace: str, name: RepositoryName) -> Named:
        only = None if self.upstreams else self.default
        if only is not None and not only.is_hub:
            # Clients may be configured with any name for the only upstream, but what
            # is Docker Hub is not taken for another registry.
            return attrs.evolve(self._at(only, name), host=namespace)
        upstream = self._by_host.get(namespace.lower())
        if upstream is None:
            raise _unknown(namespace)
        return attrs.evolve(self._at(upstream, name), host=namespace)

    def _at(self, upstream: UpstreamNames, name: RepositoryName) -> Named:
        """Return a repository of an upstream, unless its stored name is another's."""
        stored = upstream.stored(name)
        if self.upstream_of(stored) is not upstream:
            reason = "another upstream, or a local repository, has this name here"
            raise NameUnknown({"name": stored.text, "reason": reason})
        return Named(stored, upstream.hosts[0])

    def is_local(self, name: RepositoryName) -> bool:
        """Return whether a stored name belongs to no upstream."""
        return self.is_local_only or first_match(self.local, name.text) is not None

    def _is_foreign(self, host: str, rest: str) -> bool:
        """Return whether a name has a host that Docker Hub cannot have."""
        assert self.default is not None
        return bool(rest) and self.default.is_hub and ("." in host or ":" in host)


def _unknown(host: str) -> RegistryError:
    return NameUnknown({"reason": f"no upstream is configured for {host[:255]}"})
