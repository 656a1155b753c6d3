"""Everything that is known before a takeover, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import attrs

from txregistry.adopt.access import Who, who_is
from txregistry.adopt.counts import Survey
from txregistry.adopt.differences import (
    for_clients,
    of_configuration,
    of_settings,
    of_storage,
)
from txregistry.adopt.facts import gather, root_of
from txregistry.adopt.findings import Finding, Level, verdict
from txregistry.adopt.old import OldService
from txregistry.adopt.plan import SERVICE, PlanFacts, make_plan, unread
from txregistry.adopt.steps import Step
from txregistry.adopt.survey import Tell, survey
from txregistry.adopt.units import UnitFailed, Units
from txregistry.config.model import Config


@attrs.frozen
class OldReading:
    """The old configuration, read as ours.

    :ivar config: none if it cannot be used.
    :ivar has_address: ``http.addr`` is set.
    """

    config: Config | None
    problems: Sequence[str] = ()
    warnings: Sequence[str] = ()
    has_address: bool = True


@attrs.frozen
class ExamineOptions:
    """How closely is looked.

    :ivar verify: so many blobs are hashed.
    :ivar patience: seconds that ours may take until it answers.
    """

    verify: int = 0
    patience: float = 60.0


@attrs.define
class Examination:
    """What was found out.

    :ivar steps: empty if it cannot be taken over.
    """

    old: OldService
    findings: list[Finding]
    survey: Survey | None = None
    clients: list[str] = attrs.field(factory=list)
    steps: list[Step] = attrs.field(factory=list)

    @property
    def verdict(self) -> Level:
        """Give how it stands."""
        return verdict(self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give a report for machines; values of variables are not in it."""
        return {
            "verdict": self.verdict.name.lower(),
            "unit": self.old.unit,
            "user": self.old.user,
            "config": self.old.config,
            "variables": sorted(self.old.environment),
            "storage": attrs.asdict(self.survey) if self.survey else None,
            "findings": [
                {**attrs.asdict(finding), "level": finding.level.name.lower()}
                for finding in self.findings
            ],
            "clients": self.clients,
            "steps": list(map(str, self.steps)),
        }


def examine(
    old: OldService,
    reading: OldReading,
    units: Units,
    options: ExamineOptions,
    random: Random,
    tell: Tell = lambda _: None,
) -> Examination:
    """Look at everything; change nothing."""
    findings = [*old.findings, *of_configuration(reading.problems, reading.warnings)]
    findings += _of_variables(old.environment)
    found = Examination(old, findings)
    who = _who(old, findings)
    config = reading.config
    if config is None or who is None:
        return found
    findings += of_settings(config, reading.has_address)
    found.clients = for_clients(config, findings)
    if root := root_of(config):
        found.survey = survey(root, who, options.verify, random, tell)
        is_cache = config.proxy.is_cache
        findings += of_storage(found.survey, is_cache, who.name)
    facts = _facts(old, config, who, units, options, findings)
    if facts is not None and found.verdict < Level.CANNOT:
        found.steps = make_plan(facts)
    return found


def _of_variables(environment: Mapping[str, str]) -> list[Finding]:
    text = "is set by the old unit and is not taken over"
    return [Finding(Level.NOTE, name, text) for name in unread(environment)]


def _who(old: OldService, findings: list[Finding]) -> Who | None:
    try:
        who = who_is(old.user, old.group)
    except KeyError as error:
        text = f"the old service cannot run as {old.user}: {error}"
        findings.append(Finding(Level.CANNOT, old.unit, text))
        return None
    if who.uid == 0:
        text = "runs as root, and so will ours"
        findings.append(Finding(Level.LOOK, old.unit, text))
    return who


def _facts(
    old: OldService,
    config: Config,
    who: Who,
    units: Units,
    options: ExamineOptions,
    findings: list[Finding],
) -> PlanFacts | None:
    """Give the facts of a plan, if there can be one."""
    try:
        facts = gather(old, config, who, units, options.patience)
    except (UnitFailed, OSError) as error:
        findings.append(Finding(Level.CANNOT, "systemd", str(error)))
        return None
    if not facts.service.is_there:
        text = "is not installed; install the package, or a unit of that name"
        findings.append(Finding(Level.CANNOT, SERVICE, text))
    if not facts.old.is_active:
        text = "does not run: whether it can go on, nobody has seen"
        findings.append(Finding(Level.LOOK, old.unit, text))
    return facts
