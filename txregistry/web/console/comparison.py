"""What differs between two images (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from txregistry.interfaces.anatomy import Variant
from txregistry.web.console.sources import Values


def paired(
    old: Sequence[Variant], new: Sequence[Variant]
) -> Iterator[tuple[Variant | None, Variant | None]]:
    """Give which variant of one image is which of another (pure).

    The same digest first, then the same platform; what only one of them has has none.
    """
    left = list(old)
    pairs: dict[int, Variant | None] = {}
    for same in (_has_digest, _has_platform):
        for place, variant in enumerate(new):
            if place not in pairs:
                found = next((each for each in left if same(each, variant)), None)
                if found is not None:
                    left.remove(found)
                    pairs[place] = found
    yield from ((pairs.get(place), variant) for place, variant in enumerate(new))
    yield from ((variant, None) for variant in left)


def _has_digest(one: Variant, other: Variant) -> bool:
    return one.digest == other.digest


def _has_platform(one: Variant, other: Variant) -> bool:
    return one.platform == other.platform


def differences(old: Variant | None, new: Variant | None) -> Values:
    """Tell which layers came and went between two variants."""
    before = {} if old is None else {layer.digest: layer.size for layer in old.layers}
    after = {} if new is None else {layer.digest: layer.size for layer in new.layers}
    named = new or old
    return {
        "platform": "" if named is None else named.platform,
        "came": [[digest, after[digest]] for digest in after if digest not in before],
        "went": [[digest, before[digest]] for digest in before if digest not in after],
        "kept": sum(size for digest, size in after.items() if digest in before),
    }
