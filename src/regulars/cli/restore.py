"""`regulars restore`: a backup into an empty folder."""

import os
from pathlib import Path

import click


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--home", type=click.Path(path_type=Path), default=None, help="The new data folder; as given before.")
def command(source: Path, home: Path | None) -> None:
    """Restore SOURCE, what `regulars backup` made, into an empty folder."""
    from regulars.kernel.languages import Text
    from regulars.wiring import backup

    home = home or Path(os.environ["REGULARS_HOME"])
    told = backup.restore(source, home=home)
    text = Text(
        "Restored {events:,} {events:event|events}, as of {made_at}. Start with: regulars --home {home} serve",
        "已恢复 {events:,} 个事件（备份时间 {made_at}）。启动：regulars --home {home} serve",
    )
    click.echo(str(text.filled(events=told["events"], made_at=told["made_at"][:19], home=home)))
