"""`regulars user`: the people who work in the console."""

import click

from regulars.accounts.capabilities import OF_ROLE
from regulars.cli.migrate import migrate


@click.group()
def command() -> None:
    """Add people to the console, change their role or password."""


@command.command()
@click.argument("email")
@click.option("--name", default="")
@click.option("--role", type=click.Choice(list(OF_ROLE)), default="admin", show_default=True)
@click.password_option()
def add(email: str, name: str, role: str, password: str) -> None:
    """Add a person who may log in."""
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_staff

    migrate()
    add_staff(email=email, name=name or email.partition("@")[0], role=role, password=password, by=SYSTEM)
    click.echo(email)


@command.command()
@click.argument("email")
@click.password_option()
def password(email: str, password: str) -> None:
    """Set a person's password."""
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.queries import staff
    from regulars.accounts.services import set_password
    from regulars.kernel.errors import NotFound
    from regulars.kernel.languages import Text

    migrate()
    person = staff().filter(email__iexact=email).first()
    if person is None:
        raise NotFound("staff", Text("There is nobody of this address.", "没有使用该邮箱的员工。"))
    set_password(id=person.pk, password=password, by=SYSTEM)
