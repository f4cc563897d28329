"""`regulars move`: an embedded data folder to PostgreSQL."""

import click


@click.command()
@click.option("--to", "url", required=True, help="postgresql://user:password@host:port/name; an empty database.")
@click.option("--recent-only", is_flag=True, help="Also when old events are in the analytics file alone.")
def command(url: str, recent_only: bool) -> None:
    """Copy everything of this data folder's SQLite database to PostgreSQL. No server may run.

    All of it or nothing: a move that was cut short is begun again. The folder itself isn't changed.
    """
    from regulars.kernel.languages import Text
    from regulars.wiring import control, moving

    with control.owning():
        control.bring_up_to_date()
        done = moving.move(url, recent_only=recent_only, say=lambda line: click.echo(line, err=True))
    text = Text(
        "Moved {rows:,} {rows:row|rows}, {events:,} {events:event|events} among them; "
        "both logs have the checksum {checksum}.\n"
        "From now on start with:\n"
        "  export REGULARS_DATABASE_URL='{url}'\n"
        "  export REGULARS_SECRET=$(cat {home}/secret.key)\n"
        "  export REGULARS_FILES={home}\n"
        "  export REGULARS_LAKE=…  # a new folder for the history\n"
        "and another data folder (docs/scaling.md). The figures are computed anew from the log.",
        "已迁移 {rows:,} 行，其中事件 {events:,} 个；两边日志的校验和均为 {checksum}。\n"
        "此后请这样启动：\n"
        "  export REGULARS_DATABASE_URL='{url}'\n"
        "  export REGULARS_SECRET=$(cat {home}/secret.key)\n"
        "  export REGULARS_FILES={home}\n"
        "  export REGULARS_LAKE=…  # 存放历史数据的新目录\n"
        "并使用另一个数据目录（见 docs/scaling.md）。全部数字将由日志重新计算。",
    )
    click.echo(str(text.filled(**done)))
