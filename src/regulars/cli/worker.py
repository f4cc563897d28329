"""`regulars worker`: one of several on PostgreSQL that work."""

import signal
import threading

import click


@click.command()
def command() -> None:
    """Do the work behind the requests on PostgreSQL, beside others (docs/scaling.md).

    What only one may do at a time, one does; when it dies another goes on. The data folder (--home) is its own.
    """
    from django.db import connections

    from regulars.cli.serve import served
    from regulars.processes import roles, scaled
    from regulars.warehouse import lake
    from regulars.wiring import control

    scaled.check("worker")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with control.owning():
        control.bring_up_to_date(owner=lake.used())  # without a lake somebody else may have the warehouse
        with control.listening(served()):
            click.echo("Regulars: working")
            roles.work(stopping)
            click.echo("regulars: stopping", err=True)
        connections.close_all()
