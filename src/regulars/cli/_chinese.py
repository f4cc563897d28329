"""What `--help` says, in Chinese. English stands where it is meant, at the commands; here is what it is in Chinese, and
how help is written in it.
"""

import re

import click

from regulars.kernel import languages

HELP: dict[str, str] = {
    "Regulars (熟客): customer care and marketing in one loop.": "熟客（Regulars）：客户关怀与营销的闭环。",
    "The data folder (REGULARS_HOME).": "数据目录（REGULARS_HOME）。",
    "Copy everything to TARGET: FILE.tar, FILE.tar.gz, or a folder. The server may run.":
        "将全部数据备份到 TARGET：FILE.tar、FILE.tar.gz 或一个目录。服务可以正在运行。",
    "Load two years of a made-up chain of tea houses, or hold the system against what was planted in it.":
        "载入一家虚构茶馆连锁两年的数据，或检验系统能否找出其中埋设的规律。",
    "How many people; about 50 events each.": "人数；每人约 50 个事件。",
    "The same seed makes the same world.": "随机种子；种子相同，数据相同。",
    "Its last day; yesterday if none is given.": "数据的最后一天；缺省为昨天。",
    "Only into a folder in which nothing has happened yet.": "仅写入尚无任何数据的目录。",
    "Load nothing: say how much of what was planted the system finds.": "不载入数据，只报告系统找出了多少埋设的规律。",
    "Say what was sold, to whom, what was given back, and where the customers stand.\n\n"
    'With --json: "gross" is price × quantity of what was sold to known customers, before discounts and refunds; '
    '"refunds" what was given back to them; "net" what is left after discounts, postage and refunds; "anonymous" what '
    "nobody known bought. A net amount stands beside what was sold, whatever was given back of it: lines_sold, "
    "orders_sold, net_revenue.":
        "报告销售、购买客户、退款以及客户所处阶段。\n\n"
        "使用 --json 时：“gross”是售予已识别客户的单价 × 数量，优惠与退款前；“refunds”是退给他们的金额；"
        "“net”是计入优惠、运费与退款后的余额；“anonymous”是未识别客户的购买。净额的键名为 net_revenue；"
        "旁边的 lines_sold 与 orders_sold 是售出数量，不因退款而减少。",
    "For programs: exact decimals as texts, days as YYYY-MM-DD.":
        "供程序读取：金额为精确小数的文本，日期为 YYYY-MM-DD。",
    "Only the sales of one day.": "仅某一天的销售。",
    "Import orders, customers or events from a CSV, Excel or Parquet file.":
        "从 CSV、Excel 或 Parquet 文件导入订单、客户或事件。",
    "Customers: one row each.": "客户：每行一位。",
    "Events of any kind: one row each.": "任意类型的事件：每行一个。",
    "Orders, with or without their lines: one row a line.": "订单，可带或不带明细：每行一条。",
    "A saved mapping's name, or a JSON file with one. Guessed without it.":
        "已保存的字段对应关系名称，或其 JSON 文件；不指定则自动识别。",
    "Show the mapping and the first rows as understood; stop.": "显示字段对应关系与前几行的识别结果后停止。",
    "Where to write the rejected rows.": "被拒绝的行写入何处。",
    "Of a CSV, when it is guessed wrongly.": "CSV 的编码，识别有误时指定。",
    "Of an Excel file; the first with rows without it.": "Excel 的工作表；缺省为第一个有数据的工作表。",
    "Namespace of order numbers (another till, another shop).": "订单号的命名空间（另一台收银机、另一家店铺）。",
    "Take in amounts of other currencies without asking.": "直接导入其他货币的金额，不再询问。",
    "The summary for programs.": "输出供程序读取的摘要。",
    "Write keys, under which websites, apps and tills send events, and API keys for programs of your own.":
        "写入密钥（供网站、App 与收银系统发送事件）与 API 密钥（供您自己的程序使用）。",
    "Make a write key and print it.": "创建并显示一个写入密钥。",
    "Make a key of the JSON API that may do what its scopes say, and print its secret. It isn't shown again.":
        "创建一个具有指定权限范围的 API 密钥并显示其内容；之后不再显示。",
    "The write keys in use.": "列出使用中的写入密钥。",
    "Create or upgrade the database (other commands do it by themselves).":
        "创建或升级数据库（其他命令会自动执行）。",
    "Copy everything of this data folder's SQLite database to PostgreSQL. No server may run.\n\n"
    "All of it or nothing: a move that was cut short is begun again. The folder itself isn't changed.":
        "将此数据目录的 SQLite 数据库全部复制到 PostgreSQL。期间不能有服务在运行。\n\n"
        "要么全部完成，要么不做：中断后重新开始即可。数据目录本身不变。",
    "postgresql://user:password@host:port/name; an empty database.":
        "postgresql://user:password@host:port/name；须为空数据库。",
    "Also when old events are in the analytics file alone.": "即使旧事件仅存于分析文件中，也继续执行。",
    "Take in what the log has and bring scores, stages and warnings up to date.":
        "读入日志中的新事件，更新得分、阶段与预警。",
    "Judge everybody anew, also where nothing calls for it.": "重新判断所有客户，即使没有必要。",
    "Restore SOURCE, what `regulars backup` made, into an empty folder.":
        "将 `regulars backup` 生成的备份 SOURCE 恢复到一个空目录。",
    "The new data folder; as given before.": "新的数据目录；缺省与之前给出的相同。",
    "Answer requests and do all the work behind them, until told to stop (Ctrl-C).":
        "响应请求并完成所有后台工作，直到停止（Ctrl-C）。",
    "Where to listen.": "监听端口。",
    "On which address; 0.0.0.0 for all.": "监听地址；0.0.0.0 为所有地址。",
    "Add people to the console, change their role or password.": "添加控制台用户，修改其角色或密码。",
    "Add a person who may log in.": "添加一位可登录的用户。",
    "Set a person's password.": "设置用户的密码。",
    "Answer requests on PostgreSQL, beside others; workers do the rest (docs/scaling.md).\n\n"
    "The data folder (--home) is its own: what it accepts waits there until it is in the database.":
        "在 PostgreSQL 上与其他实例一起响应请求，其余工作由 worker 完成（docs/scaling.md）。\n\n"
        "数据目录（--home）为此实例独有：收到的数据在写入数据库之前存放于此。",
    "Do the work behind the requests on PostgreSQL, beside others (docs/scaling.md).\n\n"
    "What only one may do at a time, one does; when it dies another goes on. The data folder (--home) is its own.":
        "在 PostgreSQL 上与其他实例一起完成后台工作（docs/scaling.md）。\n\n"
        "同一时间只能由一个实例做的工作由其中一个完成，它退出后由另一个接手。数据目录（--home）为此实例独有。",
    "Show this message and exit.": "显示此帮助并退出。",
}  # fmt: skip
_HEADINGS = {"Options": "选项", "Commands": "命令"}
_EXTRAS = [(re.compile(r"\[default: ([^\]]*)\]"), r"[默认：\1]"), (re.compile(r"\[required\]"), "[必填]")]
_EXTRAS += [(re.compile(r"\[default: ([^;\]]*); required\]"), r"[默认：\1，必填]")]


def chinese() -> bool:
    return languages.current() == "zh-hans"


class Formatter(click.HelpFormatter):
    """click's own words in Chinese, where that is the language."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, "用法：" if chinese() else prefix)

    def write_heading(self, heading: str) -> None:
        if chinese():
            self.write(f"{'':>{self.current_indent}}{_HEADINGS.get(heading, heading)}：\n")
        else:
            super().write_heading(heading)

    def write_dl(self, rows: "list[tuple[str, str]]", col_max: int = 30, col_spacing: int = 2) -> None:  # type: ignore[override]
        if chinese():
            rows = [(first, _said(second)) for first, second in rows]
        super().write_dl(rows, col_max, col_spacing)


def _said(text: str) -> str:
    text = HELP.get(text, text)
    for pattern, instead in _EXTRAS:
        text = pattern.sub(instead, text)
    return text


def translate(command: click.Command) -> None:
    """A command's help and that of its options in Chinese, with all its commands."""
    if command.help:
        command.help = HELP.get(_plain(command.help), command.help)
        command.short_help = command.help.partition("\n")[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = HELP.get(parameter.help, parameter.help)
    if isinstance(command, click.Group):
        for one in getattr(command, "commands", {}).values():
            translate(one)


def _plain(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).strip()
