"""`regulars backup`: a copy of the data folder, also while the server runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from regulars.wiring.control import Say, Served


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
def command(target: Path) -> None:
    """Copy everything to TARGET: FILE.tar, FILE.tar.gz, or a folder. The server may run."""
    from regulars.kernel.languages import Text
    from regulars.wiring import backup

    backup.check(target)
    done = backing_up()(say=lambda line: click.echo(line, err=True), target=str(target.absolute()))
    text = Text(
        "{target}: {events:,} {events:event|events}, {size:,.1f} MB. Intake waited {seconds:.1f} s.",
        "{target}：{events:,} 个事件，{size:,.1f} MB。数据接入暂停了 {seconds:.1f} 秒。",
    )
    filled = {"events": done["events"], "size": done["bytes"] / 1e6, "seconds": done["paused_ms"] / 1000}
    click.echo(str(text.filled(target=target, **filled)))


def backing_up() -> "Served":
    """The part that has to run where the folder is owned."""
    from regulars.wiring.control import served

    return served("backup")(_back_up)


def _back_up(say: "Say", target: str) -> dict[str, Any]:
    from regulars.wiring import backup

    return backup.back_up(Path(target), say=say)
