"""`regulars migrate`: bring the database up to this version."""

import click


@click.command()
def command() -> None:
    """Create or upgrade the database (other commands do it by themselves)."""
    migrate()


def migrate() -> None:
    """For commands that may be the first ever given on a folder."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
