"""`regulars web`: one of several on PostgreSQL that answer requests."""

import click


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address; 0.0.0.0 for all.")
def command(port: int, host: str) -> None:
    """Answer requests on PostgreSQL, beside others; workers do the rest (docs/scaling.md).

    The data folder (--home) is its own: what it accepts waits there until it is in the database.
    """
    from regulars.cli.serve import answer
    from regulars.processes import roles, scaled

    scaled.check("web")
    answer(host, port, roles.of_web)
