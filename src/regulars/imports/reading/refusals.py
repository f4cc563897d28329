"""What is said of files that can't be read at all."""

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text


def refusal(code: str, en: str, zh: str, **values: object) -> Invalid:
    return Invalid(code, Text(en, zh).filled(**values), field="file")


def not_a_table() -> Invalid:
    return refusal(
        "not_a_table",
        "This isn't a table. Give a CSV, Excel (.xlsx, .xls) or Parquet file.",
        "这不是表格文件，请提供 CSV、Excel（.xlsx、.xls）或 Parquet 文件。",
    )


def with_nul(line: int) -> Invalid:
    return refusal(
        "nul",
        "Line {line} contains NUL bytes: the file is damaged, or this isn't a table. Export it again as CSV (UTF-8), "
        "Excel (.xlsx) or Parquet.",
        "第 {line} 行包含 NUL 字节：文件已损坏，或不是表格。请重新导出为 CSV（UTF-8）、Excel（.xlsx）或 Parquet 文件。",
        line=line,
    )


def too_big() -> Invalid:
    return refusal(
        "unpacked_too_big",
        "Unpacked, this file is far bigger than it looks. Save the table as CSV and import that.",
        "文件解压后体积异常庞大，请另存为 CSV 后再导入。",
    )


def locked() -> Invalid:
    return refusal(
        "password",
        "The Excel file is locked with a password. Open it, remove the password and save it, or save it as CSV.",
        "Excel 文件设有密码。请打开文件、取消密码并保存，或另存为 CSV。",
    )


def broken_excel() -> Invalid:
    return refusal(
        "broken_excel",
        "The Excel file is broken or only half there. Open and save it again, or save it as CSV.",
        "Excel 文件已损坏或不完整。请重新打开并保存，或另存为 CSV。",
    )


def broken_parquet() -> Invalid:
    return refusal(
        "broken_parquet",
        "The Parquet file is broken or only half there. Copy or export it again.",
        "Parquet 文件已损坏或不完整，请重新复制或导出。",
    )
