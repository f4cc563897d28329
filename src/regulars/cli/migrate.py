"""`regulars migrate`: bring the database up to this version."""

import click


@click.command()
def command() -> None:
    """Create or upgrade the database (other commands do it by themselves)."""
    migrate()


def migrate() -> None:
    """For commands that may be the first ever given on a folder."""
    from regulars.wiring.control import bring_up_to_date

    bring_up_to_date(owner=False)
