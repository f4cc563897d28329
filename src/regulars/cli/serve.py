"""`regulars serve`: everything in one process over one data folder."""

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from regulars.wiring.control import Served


@click.command()
@click.option("--port", default=8000, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address; 0.0.0.0 for all.")
def command(port: int, host: str) -> None:
    """Answer requests and do all the work behind them, until told to stop (Ctrl-C)."""
    from django.db import connections

    from regulars.wiring import control

    with control.owning():
        _free(host, port)
        from regulars import asgi  # what takes a second to import comes after what may refuse
        from regulars.eventlog import wake
        from regulars.eventlog.ingest import door
        from regulars.wiring import loops, receiving

        control.bring_up_to_date()
        with control.listening(_served()):
            news = wake.Bell()
            inbox = receiving.open_inbox(news.ring)
            application = asgi.build(receiving.application(inbox), door.serves)
            loops.start(news=news)
            try:
                _answer_requests(application, host, port)
            finally:
                click.echo("regulars: stopping", err=True)
                inbox.close()
                loops.stop()
        connections.close_all()


def _served() -> list["Served"]:
    """The commands that run in here when they are given on the same folder."""
    from regulars.cli import backup, demo, figures, refresh

    return [backup.backing_up(), demo.evaluation(), figures.figures(), refresh.refreshing()]


def _free(host: str, port: int) -> None:
    """Say it clearly when the port is taken: the server itself would share it."""
    from regulars.kernel.errors import Conflict
    from regulars.kernel.languages import Text

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise Conflict(
                "address_in_use",
                Text(
                    "Can't listen on {host}:{port} ({error}). Choose another port with --port.",
                    "无法监听 {host}:{port}（{error}）。请用 --port 换一个端口。",
                ).filled(host=host, port=port, error=error.strerror),
                field="port",
            ) from None


def _answer_requests(application: object, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT; open requests get a few seconds to end."""
    import uvloop
    from granian.constants import Interfaces
    from granian.server.embed import Server

    async def main() -> None:
        server = Server(
            application, address=host, port=port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False,
            backlog=1024, backpressure=1024,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        serving = loop.create_task(server.serve())
        shown = f"[{host}]" if ":" in host else host
        server.on_startup(lambda: click.echo(f"Regulars: http://{shown}:{port}"))
        waiting = loop.create_task(stopped.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving, 10)

    uvloop.run(main())
