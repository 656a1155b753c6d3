"""``txregistry config man``: the manual page of the configuration file."""

from __future__ import annotations

import click

from txregistry import __version__
from txregistry.cli.facts import facts
from txregistry.cli.roff import ManualPage, bold
from txregistry.cli.texts import CREDENTIALS_EXAMPLE, FORMAT, SECRETS, VARIABLES
from txregistry.config.table import keys

NAME = "txregistry-config"


@click.command()
def man() -> None:
    """Print the manual page of the configuration file, in roff."""
    click.echo(page(), nl=False)


def page(date: str = "") -> str:
    """Give the manual page.

    :param date: shown at its foot.
    """
    found = ManualPage()
    found.head(
        NAME, 5, "configuration of txregistry", f"txregistry {__version__}", date
    )
    found.section("Description")
    found.text(*FORMAT)
    found.section("Environment")
    found.text(*VARIABLES)
    found.section("Secrets")
    found.text(*SECRETS)
    found.code(CREDENTIALS_EXAMPLE)
    found.section("Keys")
    for row in keys():
        if row.is_section and "." not in row.path:
            found.subsection(row.path)
        told = [f"{name}: {text}" for name, text in facts(row)]
        found.item(bold(row.path), row.doc, *told)
    found.section("Files")
    found.item(bold("/etc/txregistry/config.yml"), "The configuration of the service.")
    found.section("See also")
    found.text("txregistry(8), twistd-registry(8)")
    return str(found)
