"""Actions under way and ended: begun by one request, seen by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.commands import Command, CommandRefused
from txregistry.spec.errors import NotFound, TooManyRequests

#: Actions under way at once, and ended ones that are remembered.
MAX_RUNNING, MAX_ENDED = 4, 50

#: Lines of progress that are kept of one action: the last one of each part of it.
MAX_PARTS = 200


@attrs.define
class Job:
    """One action.

    :ivar state: ``running``, ``done``, ``failed`` or ``stopped``.
    :ivar progress: the last that was told of each part, by its digest or image.
    :ivar report: of one that is done; empty otherwise.
    :ivar error: why one has failed.
    :ivar changes: rises whenever something of it has changed.
    """

    number: int
    action: str
    options: Mapping[str, Any]
    who: str
    began_at: float
    ended_at: float | None = None
    state: str = "running"
    progress: dict[str, Mapping[str, Any]] = attrs.field(factory=dict)
    report: Mapping[str, Any] = attrs.field(factory=dict)
    error: str = ""
    changes: int = 0

    @property
    def is_dry_run(self) -> bool:
        """Return whether it only tells what it would do."""
        return bool(self.options.get("dry_run"))

    @property
    def title(self) -> str:
        """Return what it is called: the action, its number, whether it is a dry run."""
        return f"{self.action} {self.number}" + (" (dry run)" * self.is_dry_run)

    def tell(self, progress: Mapping[str, Any]) -> None:
        """Take progress of one part; the oldest parts go first."""
        self.changes += 1
        key = str(progress.get("digest") or progress.get("stage") or "")
        self.progress.pop(key, None)
        self.progress[key] = dict(progress)
        if len(self.progress) > MAX_PARTS:
            del self.progress[next(iter(self.progress))]

    def summary(self) -> dict[str, Any]:
        """Return it without what may be long."""
        values = attrs.asdict(self, recurse=False)
        for name in ("options", "progress", "report", "changes"):
            del values[name]
        values["title"] = self.title
        return values

    def as_values(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        values = attrs.asdict(self)
        values["progress"] = list(self.progress.values())
        del values["changes"]
        return values


@attrs.define(eq=False, slots=False)
class Jobs(Service):
    """Runs actions, by the names of their commands.

    :param clock: shows the time of day.
    """

    _commands: Mapping[str, Command]
    _clock: IReactorTime
    _jobs: dict[int, Job] = attrs.field(factory=dict)
    _running: dict[int, Deferred[None]] = attrs.field(factory=dict)
    _number: int = 0
    _log = Logger()

    def stopService(self) -> None:
        """Stop what is under way."""
        super().stopService()
        for running in list(self._running.values()):
            running.cancel()

    @property
    def actions(self) -> Sequence[str]:
        """The names of all actions."""
        return list(self._commands)

    def start(self, action: str, options: Mapping[str, Any], who: Requester) -> Job:
        """Begin an action.

        :raise NotFound: there is none of this name.
        :raise TooManyRequests: too many are under way.
        """
        if action not in self._commands:
            raise NotFound({"action": action})
        if len(self._running) >= MAX_RUNNING:
            raise TooManyRequests("other actions are under way", 5.0)
        self._number += 1
        now = self._clock.seconds()
        job = Job(self._number, action, dict(options), str(who), now)
        self._jobs[job.number] = job
        running = self._run(job, who)
        if not running.called:
            self._running[job.number] = running
            running.addBoth(self._ended, job)
        self._forget()
        return job

    def jobs(self) -> list[Job]:
        """Return all that are remembered, the newest first."""
        return list(reversed(self._jobs.values()))

    def job(self, number: int) -> Job:
        """Return one.

        :raise NotFound: there is none, or it is forgotten.
        """
        if number not in self._jobs:
            raise NotFound({"job": number})
        return self._jobs[number]

    def stop(self, number: int) -> Job:
        """End one early; what it has done stays.

        :raise NotFound: there is none, or it is forgotten.
        """
        job = self.job(number)
        if number in self._running:
            self._running[number].cancel()
        return job

    @background("admin")
    @deferred
    async def _run(self, job: Job, who: Requester) -> None:
        command = self._commands[job.action]
        try:
            job.report = await command.run(who, job.options, job.tell)
        except CancelledError:
            job.state = "stopped"
        except CommandRefused as error:
            job.state, job.error = "failed", str(error)
        except Exception as error:
            # Whoever asked gets any error; the daemon continues.
            self._log.failure("{action} failed", action=job.action)
            job.state, job.error = "failed", str(error) or type(error).__name__
        else:
            job.state = "done"
        job.ended_at = self._clock.seconds()
        job.changes += 1

    def _ended(self, _: object, job: Job) -> None:
        del self._running[job.number]

    def _forget(self) -> None:
        jobs = self._jobs.items()
        ended = [number for number, job in jobs if job.ended_at is not None]
        for number in ended[: max(0, len(ended) - MAX_ENDED)]:
            del self._jobs[number]
