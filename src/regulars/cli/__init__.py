"""The command line: thin commands over services. A command is a module of this package, named like it, with a click
command `command`; a module is imported when its command is asked for, so that `regulars --help` is quick.
"""

import errno
import gc
import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any

import click

from regulars.cli import _chinese
from regulars.kernel import languages
from regulars.kernel.errors import Invalid, NotFound, Problem, no_room
from regulars.kernel.languages import Text

_OLD_MESSAGES = Text(
    "the Chinese sentences are not up to date and can't be compiled here ({why}); run make setup.",
    "中文语句不是最新的，且无法在此编译（{why}）；请运行 make setup。",
)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            module.name.removesuffix("_") for module in pkgutil.iter_modules(__path__) if module.name[0] != "_"
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        name = cmd_name if cmd_name != "import" else "import_"  # a word of the language
        command: click.Command = importlib.import_module(f"{__name__}.{name}").command
        if _chinese.chinese():
            _chinese.translate(command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home", help="The data folder (REGULARS_HOME).", envvar="REGULARS_HOME", default="data", show_default=True
)
@click.pass_context
def regulars(ctx: click.Context, home: str) -> None:
    """Regulars (熟客): customer care and marketing in one loop."""
    os.environ["REGULARS_HOME"] = home
    if ctx.invoked_subcommand == "restore":
        return  # it makes the folder; the settings would begin one of their own
    if ctx.invoked_subcommand in _READING and not {"-h", "--help"} & set(sys.argv):
        _there(Path(home))
    _usable(Path(home))
    from regulars.console import messages
    from regulars.wiring import backup

    backup.whole(Path(home))
    if ctx.invoked_subcommand in ("serve", "web"):  # before Django has read any
        try:
            messages.bring_up_to_date()
        except OSError as error:
            click.echo(f"regulars: {_OLD_MESSAGES.filled(why=error.strerror)}", err=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "regulars.settings")
    import django

    django.setup()


_READING = ("backup", "figures", "move", "refresh")


def _there(home: Path) -> None:
    """Raises NotFound where there is nothing to read: a name typed wrongly mustn't become a new, empty folder."""
    if not os.environ.get("REGULARS_DATABASE_URL") and not (home / "regulars.sqlite3").exists():
        raise NotFound(
            "home",
            Text(
                "There is no data folder at {home}. Name the one to read with --home.",
                "{home} 不是数据目录。请用 --home 指定要读取的数据目录。",
            ).filled(home=home),
            field="home",
        )


def _usable(home: Path) -> None:
    """Raises Invalid for a data folder that can't be made or written to."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(home, os.R_OK | os.W_OK | os.X_OK) else os.strerror(errno.EACCES)
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        raise Invalid(
            "home",
            Text(
                "{home} can't be the data folder ({why}). Choose another with --home or REGULARS_HOME.",
                "{home} 不能用作数据目录（{why}）。请用 --home 或 REGULARS_HOME 指定其他目录。",
            ).filled(home=home, why=why),
            field="home",
        )


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of `regulars`. A Problem is told in a line on stderr and exits with 2."""
    # Batches make objects by the hundred thousand and hardly a cycle: to look for garbage after every 700 new ones
    # costs half as much again as reading a file does.
    gc.set_threshold(50_000, 20, 20)
    languages.use(os.environ.get("REGULARS_LANGUAGE") or os.environ.get("LC_ALL") or os.environ.get("LANG", "en"))
    click.Context.formatter_class = _chinese.Formatter
    if _chinese.chinese():
        _chinese.translate(regulars)
    try:
        return regulars.main(arguments, prog_name="regulars", standalone_mode=True)
    except Problem as problem:
        click.echo(f"regulars: {problem.text}", err=True)
        sys.exit(2)
    except Exception as error:
        if (full := no_room(error)) is None:
            raise
        click.echo(f"regulars: {full.text}", err=True)
        sys.exit(2)
