"""Ranges of addresses, and the list of those of AWS (pure)."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import attrs

#: The lists of the document, and what a prefix is called in each.
_LISTS = (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix"))


@attrs.frozen
class AddressRanges:
    """A set of addresses that answers in a few steps however many ranges it has.

    :param _bounds: by version of the protocol: the first address of each range, and
        the last one; both sorted.
    """

    _bounds: dict[int, tuple[list[int], list[int]]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, networks: Iterable[str]) -> AddressRanges:
        """Make the set of some networks; what is no network is passed over."""
        ranges: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for version, first, last in _ranges(networks):
            ranges[version].append((first, last))
        return cls({version: _merged(found) for version, found in ranges.items()})

    def __contains__(self, address: object) -> bool:
        """Tell if an address is in the set; what is no address is not."""
        found = _parse(str(address))
        if found is None:
            return False
        firsts, lasts = self._bounds.get(found.version, ((), ()))
        at = bisect_right(firsts, int(found)) - 1
        return at >= 0 and int(found) <= lasts[at]

    def __len__(self) -> int:
        """Count the ranges; those that touch are one."""
        return sum(len(firsts) for firsts, _ in self._bounds.values())


def read_ranges(document: bytes, regions: Collection[str]) -> AddressRanges:
    """Read the list of AWS.

    :param regions: in lower case; empty for all.
    :raise ValueError: it is no such list, or has nothing of these regions.
    """
    try:
        found = json.loads(document)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("is no list of addresses")
    ranges = AddressRanges.of(_prefixes(found, regions))
    if not len(ranges):
        raise ValueError("has no address that is wanted")
    return ranges


def _prefixes(document: dict[str, Any], regions: Collection[str]) -> Iterator[str]:
    for name, key in _LISTS:
        entries = document.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            region = str(entry.get("region", "")).lower()
            if not regions or region in regions:
                yield str(entry.get(key, ""))


def _ranges(networks: Iterable[str]) -> Iterator[tuple[int, int, int]]:
    for text in networks:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            continue
        first, last = network.network_address, network.broadcast_address
        yield network.version, int(first), int(last)


def _merged(ranges: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
