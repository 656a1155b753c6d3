"""A storage in memory that has URLs for clients."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import FileRequest, IURLProvider
from txregistry.storagedriver.inmemory import MemoryDriver

STORE = "http://store.example"


@implementer(IURLProvider)
class LocatingDriver(Wrapper):
    """Gives URLs of a store, and remembers for whom.

    :ivar store: empty while there is none.
    """

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(MemoryDriver(clock))
        self.asked: list[tuple[str, FileRequest]] = []
        self.store = STORE

    def url(self, path: str, request: FileRequest) -> Deferred[str | None]:
        self.asked.append((path, request))
        return succeed(f"{self.store}{path}?signed" if self.store else None)
