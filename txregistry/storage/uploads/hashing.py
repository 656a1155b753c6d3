"""Hash incoming and stored bytes without holding them in memory.

A resumable digest continues where another request, process or the Go registry left it:
see :class:`HashStates`. It needs :mod:`txregistry.storage.uploads.sha2`; without it,
stored bytes are read and hashed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError, IStorageDriver, PathNotFound
from txregistry.spec.digest import CANONICAL, IncrementalHash
from txregistry.spec.hashstate import FAMILIES, HashState, decode_state, encode_state
from txregistry.storage.uploads import sha2


@deferred
async def hash_file(
    driver: IStorageDriver, path: str, size: int, hasher: IncrementalHash
) -> None:
    """Feed the first ``size`` bytes of a file to a hash.

    :return: fails with ``ShortRead`` if the file is shorter, or a ``DriverError``.
    """
    file = await driver.reader(path)
    try:
        await file.hash(hasher=hasher, size=size)
    finally:
        file.close()


@attrs.define(eq=False)
class Hashes:
    """Several digests of the same bytes, the canonical one always among them."""

    by_algorithm: dict[str, IncrementalHash]

    def update(self, content: bytes, /) -> None:
        """Take in more content."""
        for hasher in self.by_algorithm.values():
            hasher.update(content)

    def hexdigest(self) -> str:
        """Give the canonical digest."""
        return self.by_algorithm[CANONICAL].hexdigest()


@attrs.frozen
class HashStates:
    """Keeps the states of digests in files: ``<directory>/<alg>/<offset>``.

    :param enabled: without it, or without a library, states are neither written nor
        used.
    """

    _driver: IStorageDriver
    enabled: bool = True

    @deferred
    async def save(self, directory: str, hashes: Hashes) -> None:
        """Write the states of all digests, replacing older ones.

        Call when the bytes are synced: a state must not outlive the bytes it covers.
        """
        for hasher in hashes.by_algorithm.values():
            if isinstance(hasher, sha2.ResumableHash):
                state = hasher.state()
                path = f"{directory}/{state.algorithm}/{state.length}"
                content = encode_state(state)
                await self._driver.put(path=path, content=content, durable=False)
                await self._forget_others(path)

    @deferred
    async def _forget_others(self, path: str) -> None:
        for other in await self._driver.list(path=path.rpartition("/")[0]):
            if other != path:
                await self._driver.delete(path=other, durable=False)

    @deferred
    async def load(self, directory: str, data: str, size: int) -> Hashes:
        """Fire with the digests of the first ``size`` bytes of a file.

        :param data: the file, to be read again where there is no state.
        """
        algorithms = await self._algorithms(directory)
        found = {name: await self._find(directory, name, size) for name in algorithms}
        missing = Hashes(
            {name: self._new(name) for name, hasher in found.items() if hasher is None}
        )
        if missing.by_algorithm and size:
            await hash_file(self._driver, data, size, missing)
        known = {name: hasher for name, hasher in found.items() if hasher is not None}
        return Hashes({**known, **missing.by_algorithm})

    def begin(self, algorithms: Iterable[str] = ()) -> Hashes:
        """Give digests of no bytes, for the canonical algorithm and these."""
        return Hashes({name: self._new(name) for name in {CANONICAL, *algorithms}})

    @property
    def _library(self) -> sha2.Sha2 | None:
        return sha2.load() if self.enabled else None

    def _new(self, algorithm: str) -> IncrementalHash:
        library = self._library
        if library is None:
            return hashlib.new(algorithm)
        return library.new(algorithm)

    @deferred
    async def _algorithms(self, directory: str) -> set[str]:
        """Tell which digests were begun: a client may have asked for an algorithm."""
        found = {CANONICAL}
        for algorithm in FAMILIES.keys() - found:
            try:
                await self._driver.stat(path=f"{directory}/{algorithm}")
            except PathNotFound:
                continue
            found.add(algorithm)
        return found

    @deferred
    async def _find(
        self, directory: str, algorithm: str, size: int
    ) -> IncrementalHash | None:
        if not size:
            return self._new(algorithm)
        library, state = self._library, None
        if library is not None:
            state = await self._read(f"{directory}/{algorithm}/{size}", algorithm)
        if library is None or state is None or state.length != size:
            return None
        return library.restore(state)

    @deferred
    async def _read(self, path: str, algorithm: str) -> HashState | None:
        try:
            return decode_state(algorithm, await self._driver.get(path=path))
        except DriverError:
            return None  # a state is only a shortcut
