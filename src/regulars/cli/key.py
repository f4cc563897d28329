"""`regulars key`: the keys under which events are sent."""

import click


@click.group()
def command() -> None:
    """Write keys, under which websites, apps and tills send events."""


@command.command()
@click.argument("name")
def add(name: str) -> None:
    """Make a write key and print it."""
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_write_key

    click.echo(add_write_key(name=name, by=SYSTEM).key)


@command.command("list")
def show() -> None:
    """The write keys in use."""
    from regulars.accounts.queries import write_keys

    for row in write_keys().filter(revoked_at=None):
        click.echo(f"{row.key}\t{row.name}")
