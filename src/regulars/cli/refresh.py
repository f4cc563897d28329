"""`regulars refresh`: judge customers now."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from regulars.wiring.control import Say, Served


@click.command()
@click.option("--full", is_flag=True, help="Judge everybody anew, also where nothing calls for it.")
def command(full: bool) -> None:
    """Take in what the log has and bring scores, stages and warnings up to date."""
    from regulars.kernel.languages import Text

    done = refreshing()(say=lambda line: click.echo(line, err=True), full=full)
    text = Text(
        "{customers:,} {customers:customer|customers}, as of {as_of}; the last full refresh took {seconds:.1f} s.",
        "共 {customers:,} 位客户，截至 {as_of}；最近一次全量刷新用时 {seconds:.1f} 秒。",
    )
    click.echo(str(text.filled(**done)))


def refreshing() -> "Served":
    """The part that has to run where the warehouse is open."""
    from regulars.wiring.control import served

    return served("refresh")(_refresh)


def _refresh(say: "Say", full: bool) -> dict[str, Any]:
    from regulars.kernel import clock
    from regulars.warehouse import refresh

    state = refresh.bring_up(full_anyway=full)
    return {
        "customers": state.customers,
        "as_of": clock.day_of(state.as_of).isoformat(),
        "seconds": state.took_ms / 1000,
    }
