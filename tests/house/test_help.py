"""`--help` speaks Chinese too."""

from collections.abc import Iterator

import click
from click.testing import CliRunner

from regulars import cli
from regulars.cli import _chinese
from regulars.kernel import languages


def _texts(command: click.Command) -> Iterator[str]:
    yield _chinese._plain(command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield parameter.help
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            assert one is not None
            yield from _texts(one)


def test_every_command_and_option_is_said_in_both_languages() -> None:
    languages.use("en")
    said = set(_texts(cli.regulars))
    assert said | {"Show this message and exit."} == _chinese.HELP.keys()


def test_help_is_in_chinese_where_that_is_the_language() -> None:
    @click.command(context_settings={"help_option_names": ["-h"]})
    @click.option("--port", default=8000, show_default=True, help="Where to listen.")
    def command(port: int) -> None:
        """Add a person who may log in."""

    class Context(click.Context):
        formatter_class = _chinese.Formatter

    command.context_class = Context
    shown = {}
    for language in ("en", "zh-hans"):
        languages.use(language)
        if language == "zh-hans":
            _chinese.translate(command)
        shown[language] = CliRunner().invoke(command, ["-h"]).output.split()
    assert shown["en"][:2] == ["Usage:", "command"] and "Options:" in shown["en"]
    assert shown["zh-hans"] == [
        "用法：command", "[OPTIONS]", "添加一位可登录的用户。", "选项：", "--port", "INTEGER", "监听端口。", "[默认：8000]",
        "-h", "显示此帮助并退出。",
    ]  # fmt: skip
