"""`regulars demo`: a made-up chain of tea houses to try the system on."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from regulars.demo.world import World
    from regulars.wiring.control import Say, Served


@click.command()
@click.option("--customers", default=20_000, show_default=True, help="How many people; about 50 events each.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
@click.option(
    "--last-day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Its last day; yesterday if none is given."
)
@click.option("--if-empty", is_flag=True, help="Only into a folder in which nothing has happened yet.")
@click.option("--evaluate", is_flag=True, help="Load nothing: say how much of what was planted the system finds.")
def command(customers: int, seed: int, last_day: datetime | None, if_empty: bool, evaluate: bool) -> None:
    """Load two years of a made-up chain of tea houses, or hold the system against what was planted in it."""
    if evaluate:
        evaluation()(say=click.echo)
        return
    from regulars.accounts.queries import business
    from regulars.demo import loading
    from regulars.demo.world import world
    from regulars.kernel import clock
    from regulars.kernel.errors import Conflict
    from regulars.kernel.languages import Text
    from regulars.warehouse import refresh
    from regulars.wiring import control

    day = last_day.date() if last_day else None
    begun = loading.cut_off()
    if if_empty and begun:
        customers, seed, day = begun
        said = Text("The demo wasn't loaded to its end: it goes on.", "演示数据上次未载入完，现在继续。")
        click.echo(str(said), err=True)
    elif if_empty and _used():
        _say_logins()
        return

    def made() -> "World":
        until = day or clock.day_of(clock.day_number(clock.today(business().zone)) - 1)
        loading.begin(customers=customers, seed=seed, last_day=until)
        return world(seed, customers, until)

    try:
        with control.owning():
            control.bring_up_to_date()
            _load(made(), feeding=True)
            refresh.full()
    except Conflict as taken:
        if taken.code != "folder_in_use":
            raise
        _load(made(), feeding=False)  # the server that runs on this folder feeds its warehouse from the log


def _used() -> bool:
    """Whether anything has happened in this folder, or somebody works in it."""
    from regulars.accounts.queries import staff
    from regulars.eventlog.queries import last_position
    from regulars.wiring import control

    with control.owning():
        control.bring_up_to_date()
        return last_position() > 0 or staff().exists()


def _say_logins() -> None:
    from regulars.demo import people
    from regulars.kernel.languages import Text

    for place, email in enumerate(people.logins()):
        if place == 0:
            login = Text("The demo's login: {email} with the password {password}", "演示账号：{email}，密码 {password}")
            click.echo(str(login.filled(email=email, password=people.PASSWORD)))
        else:
            click.echo(f"  {email}")


def evaluation() -> "Served":
    """The part that has to run where the warehouse is open."""
    from regulars.wiring.control import served

    return served("demo-evaluate")(_evaluate)


def _evaluate(say: "Say") -> None:
    from regulars.demo.evaluation import loaded
    from regulars.kernel.languages import Text

    line = Text(
        "{what}: planted {planted:,}{known}, found {found:,}, right {hits:,}: precision {precision}, recall {recall}",
        "{what}：埋设 {planted:,}{known}，找到 {found:,}，其中正确 {hits:,}：查准率 {precision}，查全率 {recall}",
    )
    some = Text(", {knowable:,} of them could be known ({why})", "，其中 {knowable:,} 可知（{why}）")
    for one in loaded():
        shares = {
            name: "–" if share is None else f"{share:.0%}"
            for name, share in (("precision", one.precision), ("recall", one.recall))
        }
        known = "" if one.why is None else str(some.filled(knowable=one.knowable, why=one.why))
        counts = {"planted": one.planted, "found": one.found, "hits": one.hits}
        say(str(line.filled(what=one.what, known=known, **counts, **shares)))


def _load(made: "World", *, feeding: bool) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.demo import loading, people
    from regulars.kernel.languages import Text

    people.employ(by=SYSTEM)
    said = {
        "customers": Text("{many:,} {many:customer is|customers are} in.", "已载入 {many:,} 位客户。"),
        "events": Text("{many:,} {many:event is|events are} in.", "已载入 {many:,} 个事件。"),
    }
    new = loading.load(
        made,
        by=SYSTEM,
        feeding=feeding,
        report=lambda what, many: click.echo(str(said[what].filled(many=many)), err=True),
    )
    done = Text(
        "{new:,} new {new:event|events}. What was planted stands in {file}; compare with: regulars demo --evaluate",
        "新增 {new:,} 个事件。埋设的内容见 {file}；对照请运行：regulars demo --evaluate",
    )
    click.echo(str(done.filled(new=new, file=loading.truths_file())))
    _say_logins()
