"""`regulars migrate`: bring the database up to this version."""

import click


@click.command()
def command() -> None:
    """Create or upgrade the database (serve does it by itself)."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
