"""`regulars serve`: everything over one data folder, in a few processes that start and end together."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.processes.family import Child
    from regulars.processes.roles import Shared
    from regulars.wiring.control import Served


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address; 0.0.0.0 for all.")
def command(port: int, host: str) -> None:
    """Answer requests and do all the work behind them, until told to stop (Ctrl-C)."""
    from regulars.processes import roles

    answer(host, port, roles.of_serve)


def answer(host: str, port: int, children: "Callable[[Shared], list[Child]]") -> None:
    """Run these over this data folder until told to stop."""
    from django.db import connections

    from regulars.eventlog.wake import Bell
    from regulars.processes import answering, family, roles
    from regulars.processes.roles import Shared
    from regulars.wiring import control

    with control.owning() as lock, answering.listening(host, port) as public:
        control.bring_up_to_date(owner=False)  # who has the warehouse looks whether it agrees
        connections.close_all()
        with control.opened(control.console_path()) as console:
            shared = Shared(public, console, Bell(), Bell(), served)
            shown = f"[{host}]" if ":" in host else host
            at = f"http://{shown}:{port}"
            try:
                family.run(children(shared), lock=lock, up=lambda: click.echo(f"Regulars: {at}"), refused=roles.REFUSED)
            except family.Ended as ended:
                if ended.code != roles.REFUSED:
                    click.echo(f"regulars: {ended}", err=True)
                raise SystemExit(ended.code if ended.code > 0 else 1) from None
        click.echo("regulars: stopping", err=True)


def served() -> "list[Served]":
    """The commands that run in here when they are given on the same folder."""
    from regulars.cli import backup, demo, figures, refresh

    return [backup.backing_up(), demo.evaluation(), figures.figures(), refresh.refreshing()]
