"""``txregistry adopt``: take over from Docker's registry, and give back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, NoReturn

import click
import yaml

from txregistry.adopt.counts import Survey
from txregistry.adopt.examine import (
    Examination,
    ExamineOptions,
    OldReading,
    examine,
)
from txregistry.adopt.findings import Finding, Level
from txregistry.adopt.journal import (
    APPLIED,
    APPLYING,
    BACKING,
    AdoptJournal,
    AdoptRecord,
    JournalBroken,
)
from txregistry.adopt.old import OldService, read_old
from txregistry.adopt.takeover import Hands, StepFailed, Takeover
from txregistry.adopt.units import Systemctl, UnitFailed
from txregistry.assembly.loading import load
from txregistry.cli.exits import (
    CANNOT_ADOPT,
    FAILED,
    LOOK,
    NOT_PUT_BACK,
    epilog,
)
from txregistry.cli.options import as_json_option
from txregistry.config.read import ConfigurationError

#: The status of a dry run.
_STATUSES = {Level.NOTE: 0, Level.LOOK: LOOK, Level.CANNOT: CANNOT_ADOPT}

_WORDS = {
    Level.NOTE: "it can be taken over",
    Level.LOOK: "it can be taken over; look at the lines marked with ! first",
    Level.CANNOT: "it cannot be taken over as it is; see the lines marked with X",
}
_MARKS = {Level.NOTE: " ", Level.LOOK: "!", Level.CANNOT: "X"}


@click.command("adopt", epilog=epilog("adopt"))
@click.argument("config", required=False, type=click.Path(dir_okay=False))
@click.option(
    "--unit",
    default="docker-registry.service",
    show_default=True,
    help="The unit of the old registry.",
)
@click.option("--apply", "applying", is_flag=True, help="Take over.")
@click.option("--back", "backing", is_flag=True, help="Undo a takeover, all of it.")
@click.option(
    "--verify",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Hash N blobs, taken at random.",
)
@click.option(
    "--wait",
    "patience",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long ours may take until it answers.",
)
@as_json_option
def adopt(
    config: str | None,
    unit: str,
    applying: bool,
    backing: bool,
    verify: int,
    patience: float,
    as_json: bool,
) -> None:
    """Take over from a registry of Docker's that runs as a service.

    Reads the unit of the old registry, the variables that it sets, and its
    configuration file, which is CONFIG or the one that the unit names; looks at
    everything in its storage directory; and says what would be different, and what
    clients would notice. Nothing is changed.

    With --apply it then writes /etc/txregistry/config.yml, /etc/default/txregistry and
    a drop-in by which ours runs as the same user, stops and disables the old service,
    starts ours and waits until it answers at the old address. If it does not, all is
    put back. Files that were there are kept beside, with .before-adopt at the end.

    With --back everything is as it was, and the old service runs again, with what was
    pushed meanwhile. A takeover that was interrupted is ended by --apply, or undone by
    --back.
    """
    if applying and backing:
        raise click.UsageError("--apply and --back exclude one another")
    takeover = Takeover(AdoptJournal(), Hands(Systemctl()), _teller(as_json))
    options = ExamineOptions(verify, patience)
    try:
        if not applying and not backing:
            found = _examine(config, unit, takeover, options)
            _show(found, as_json)
            raise SystemExit(_STATUSES[found.verdict])
        with takeover.journal.locked():
            if backing:
                _back(takeover, as_json)
            else:
                _apply(config, unit, takeover, options, as_json)
    except JournalBroken as error:
        _fail(str(error), CANNOT_ADOPT)
    except PermissionError as error:
        _fail(f"{error}: it takes root", CANNOT_ADOPT)


def _teller(as_json: bool) -> Callable[[str], None]:
    # What a machine reads stands alone on the standard output.
    return lambda line: click.echo(line, err=as_json)


def _fail(reason: str, code: int) -> NoReturn:
    click.echo(reason, err=True)
    raise SystemExit(code)


def _examine(
    config: str | None, unit: str, takeover: Takeover, options: ExamineOptions
) -> Examination:
    old = read_old(unit, config)
    return examine(
        old, _read(old), takeover.hands.units, options, SystemRandom(), _progress
    )


def _read(old: OldService) -> OldReading:
    try:
        config, warnings = load(old.config, old.environment)
    except ConfigurationError as error:
        return OldReading(None, error.problems)
    return OldReading(config, (), warnings, _has_address(old))


def _has_address(old: OldService) -> bool:
    if {"REGISTRY_HTTP_ADDR", "REGISTRY_HTTP"} & old.environment.keys():
        return True
    with open(old.config, encoding="utf-8") as file:
        http = (yaml.safe_load(file) or {}).get("http")
    return isinstance(http, Mapping) and bool(http.get("addr"))


def _progress(seen: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{seen} files", nl=False, err=True)


def _show(found: Examination, as_json: bool, **more: Any) -> None:
    if as_json:
        click.echo(json.dumps(found.as_json() | more, indent=2))
        return
    old = found.old
    click.echo(f"{old.unit} runs as {old.user} with {old.config}")
    if found.survey is not None:
        _show_survey(found.survey)
    for finding in sorted(found.findings, key=lambda finding: -finding.level):
        click.echo(_line(finding))
    for line in found.clients:
        click.echo(f"  for clients: {line}")
    for step in found.steps:
        click.echo(f"  --apply would: {step}")
    click.echo(_WORDS[found.verdict])


def _line(finding: Finding) -> str:
    return f"{_MARKS[finding.level]} {finding.about}: {finding.text}"


def _show_survey(found: Survey) -> None:
    click.echo(
        f"{found.root}: {found.repositories} repositories, {found.tags} tags,"
        f" {found.manifests} manifests, {found.blobs} blobs of {found.bytes} bytes,"
        f" {found.uploads} unfinished uploads, {found.scheduled} entries that expire"
    )
    if found.verified:
        damaged = found.oddities.get("damaged")
        bad = damaged.count if damaged else 0
        click.echo(f"{found.verified} blobs were hashed, {bad} are damaged")


def _apply(
    config: str | None,
    unit: str,
    takeover: Takeover,
    options: ExamineOptions,
    as_json: bool,
) -> None:
    record = takeover.journal.load()
    if record is not None and record.state == APPLIED:
        _end(f"{record.old_unit} was taken over, begun {record.since}", as_json)
        return
    if record is not None and record.state == BACKING:
        _take_back(takeover, record)
        record = None
    if record is None:
        record = _planned(config, unit, takeover, options, as_json)
    try:
        takeover.apply(record)
    except StepFailed as error:
        _roll_back(takeover, record, str(error), as_json)
    except KeyboardInterrupt:
        _fail("interrupted: run it again, or with --back", NOT_PUT_BACK)
    _end(f"{record.old_unit} is taken over; --back undoes it", as_json)


def _planned(
    config: str | None,
    unit: str,
    takeover: Takeover,
    options: ExamineOptions,
    as_json: bool,
) -> AdoptRecord:
    found = _examine(config, unit, takeover, options)
    if found.verdict == Level.CANNOT or not found.steps:
        _show(found, as_json, applied=False)
        raise SystemExit(CANNOT_ADOPT)
    for finding in found.findings:
        if finding.level == Level.LOOK:
            takeover.tell(_line(finding))
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return AdoptRecord(unit, since, APPLYING, 0, tuple(found.steps))


def _roll_back(
    takeover: Takeover, planned: AdoptRecord, reason: str, as_json: bool
) -> NoReturn:
    click.echo(f"failed: {reason}", err=True)
    click.echo(takeover.hands.units.log("txregistry.service"), err=True)
    # Without a journal no step was begun.
    _take_back(takeover, takeover.journal.load() or planned)
    _end(f"all is put back: {reason}", as_json, applied=False)
    raise SystemExit(FAILED)


def _back(takeover: Takeover, as_json: bool) -> None:
    record = takeover.journal.load()
    if record is None:
        _end("nothing was taken over", as_json, applied=False)
        return
    _take_back(takeover, record)
    _end(f"{record.old_unit} is as it was", as_json, applied=False)


def _take_back(takeover: Takeover, record: AdoptRecord) -> None:
    """Undo all that was begun, or end with what is in the way."""
    problems = takeover.back(record)
    if problems:
        _fail("\n".join(["not all could be put back:", *problems]), NOT_PUT_BACK)
    try:
        takeover.await_old(record)
    except (StepFailed, UnitFailed) as error:
        _fail(f"all is put back, but: {error}", NOT_PUT_BACK)


def _end(message: str, as_json: bool, applied: bool = True) -> None:
    if as_json:
        click.echo(json.dumps({"applied": applied, "message": message}))
    else:
        click.echo(message)
