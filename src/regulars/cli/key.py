"""`regulars key`: the keys under which events are sent, and those of the JSON API."""

import click

from regulars.accounts.capabilities import CAPABILITIES
from regulars.cli.migrate import migrate


@click.group()
def command() -> None:
    """Write keys, under which websites, apps and tills send events, and API keys for programs of your own."""


@command.command()
@click.argument("name")
def add(name: str) -> None:
    """Make a write key and print it."""
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_write_key

    migrate()
    click.echo(add_write_key(name=name, by=SYSTEM).key)


@command.command("add-api")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(sorted(CAPABILITIES)))
def add_api(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key of the JSON API that may do what its scopes say, and print its secret. It isn't shown again."""
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_api_key

    migrate()
    _, secret = add_api_key(name=name, scopes=list(scopes), by=SYSTEM)
    click.echo(secret)


@command.command("list")
def show() -> None:
    """The write keys in use."""
    from regulars.accounts.queries import write_keys

    migrate()
    for row in write_keys().filter(revoked_at=None):
        click.echo(f"{row.key}\t{row.name}")
