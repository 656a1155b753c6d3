"""The manual pages: ``python -m txregistry.cli.manpages DIRECTORY`` writes them.

They are made of the commands, the options of ``twistd registry`` and the table of keys,
so they say what this release does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from inspect import cleandoc
from pathlib import Path

import click

from txregistry import __version__
from txregistry.cli import config_man
from txregistry.cli.exits import STATUSES, meaning
from txregistry.cli.main import main as txregistry
from txregistry.cli.roff import ManualPage, bold
from txregistry.tap import Options

_SOURCE = f"txregistry {__version__}"

_DAEMON = """
The daemon of txregistry, a container registry and pull-through cache, as a plugin of
twistd(1). In the foreground, with --nodaemon, events go to standard error and the
access log to standard output; as a daemon, or with --logfile, both go to a file.

SIGTERM and SIGINT end it: it takes no new connections, and waits for answers under way
for as long as http.draintimeout says.

SIGHUP reloads the configuration: what can change while it runs does, and the log names
what needs a restart. txregistry reload does the same and reports the outcome.

A socket that systemd hands over takes the place of http.addr.
"""

_STATUSES_OF_DAEMON = {
    0: "It has ended in good order; of --check: there are no problems.",
    1: "It could not start, or a part of it has failed; the log tells why.",
    78: "The configuration cannot be used; all problems are on standard error.",
}

_JSON = (
    "With --json a command reports in JSON on standard output; if it fails, as an"
    ' object with "error", and with "problems" if the configuration cannot be used.'
)

_PROXIES = "Proxies towards the upstream, as programs in Go read them."


def pages(date: str = "") -> Mapping[str, str]:
    """Give each page by the name of its file.

    :param date: shown at the foot of each.
    """
    return {
        "txregistry.8": _commands(date),
        "twistd-registry.8": _daemon(date),
        f"{config_man.NAME}.5": config_man.page(date),
    }


def _commands(date: str) -> str:
    page = ManualPage()
    page.head("txregistry", 8, "maintain a container registry", _SOURCE, date)
    page.section("Synopsis")
    found = list(_leaves(txregistry, click.Context(txregistry, info_name="txregistry")))
    for context in found:
        page.text(_usage(context))
    page.section("Description")
    page.text(*_paragraphs(txregistry.help))
    page.text(_JSON)
    page.section("Commands")
    for context in found:
        _command(page, context)
    _statuses(page, {status: meaning(status) for status in STATUSES})
    page.section("Environment")
    page.item(
        bold("REGISTRY_CONFIGURATION_PATH"), "The file, where no argument names one."
    )
    page.item(
        bold("REGISTRY_*"), "Override keys of the file, see txregistry-config(5)."
    )
    page.section("See also")
    page.text("txregistry-config(5), twistd-registry(8)")
    return str(page)


def _leaves(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Give the context of each command that is no group."""
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            below = click.Context(inner, parent=context, info_name=name)
            yield from _leaves(inner, below)


def _usage(context: click.Context) -> str:
    pieces = context.command.collect_usage_pieces(context)
    return " ".join([context.command_path, *pieces])


def _command(page: ManualPage, context: click.Context) -> None:
    page.subsection(_usage(context))
    above = context.parent.command if context.parent is not None else None
    _tell(page, context.command.help)
    params = context.command.get_params(context)
    if above is not None and any(param.name == "file" for param in params):
        page.text(*_paragraphs(above.help)[1:])
    for param in params:
        record = param.get_help_record(context)
        if record is not None and record[1]:
            page.item(bold(record[0]), record[1])


def _tell(page: ManualPage, text: str | None) -> None:
    """Add the help of a command; click keeps the lines of what \\b begins."""
    for part in cleandoc(text or "").split("\n\n"):
        if part.startswith("\b\n"):
            page.code(part.removeprefix("\b\n"))
        else:
            page.text(" ".join(part.split()))


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in cleandoc(text or "").split("\n\n")]


def _daemon(date: str) -> str:
    page = ManualPage()
    page.head("twistd-registry", 8, "the daemon of txregistry", _SOURCE, date)
    page.section("Synopsis")
    page.text(f"twistd [OPTION...] registry {Options.synopsis}")
    page.section("Description")
    page.text(*_paragraphs(_DAEMON))
    page.section("Options")
    for name, short, _, text in Options.optParameters:
        page.item(bold(f"-{short}, --{name}=FILE"), text)
    for name, _, text in Options.optFlags:
        page.item(bold(f"--{name}"), text)
    page.item(bold("--version"), "Print the version and end.")
    page.text("Further options are those of twistd(1), before registry.")
    _statuses(page, _STATUSES_OF_DAEMON)
    page.section("Environment")
    page.item(
        bold("REGISTRY_CONFIGURATION_PATH"), "The file, where --config names none."
    )
    page.item(bold("REGISTRY_*"), "Override keys, see txregistry-config(5).")
    page.item(bold("HTTP_PROXY, HTTPS_PROXY, NO_PROXY"), _PROXIES)
    page.section("See also")
    page.text("txregistry-config(5), txregistry(8), twistd(1)")
    return str(page)


def _statuses(page: ManualPage, statuses: Mapping[int, str]) -> None:
    page.section("Exit status")
    for status, text in statuses.items():
        page.item(bold(str(status)), text)


def write(directory: Path, date: str) -> None:
    """Write all pages into a directory, which is made if it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages(date).items():
        (directory / name).write_text(text, "utf-8")


def _date(environment: Mapping[str, str]) -> str:
    """Give the day of a reproducible build; none for one that is not."""
    epoch = environment.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return ""
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d")


if __name__ == "__main__":
    write(Path(sys.argv[1]), _date(os.environ))
