"""Whatever somebody uploads is refused or understood clearly, in both languages, without harm."""

import codecs
import gzip
import io
import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from regulars.imports import queries, reading, services
from regulars.imports.reading import apart
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text
from tests.imports.worlds import imported, log, rejects, uploaded, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]

HEADER = "order,date,quantity,price,customer id\n"


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/"), data)
    return file.getvalue()


def bomb() -> bytes:
    """An xlsx whose sheet unpacks to 300 MB of nothing."""
    return zipped(**{"[Content_Types].xml": b"<Types/>", "xl__worksheets__sheet1.xml": b"0" * (300 << 20)})


def lying(data: bytes) -> bytes:
    """The same, but its directory says that the parts are small."""
    size = (300 << 20).to_bytes(4, "little")
    return data.replace(size, (1000).to_bytes(4, "little"))


def excel(part: str = "", change: Callable[[bytes], bytes] = bytes) -> bytes:
    """A workbook of one order, with a part of it changed."""
    file, changed = io.BytesIO(), io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["order", "date", "quantity", "price", "customer id"])
    sheet.write_row(1, 0, ["1", "2024-01-01", 1, 5, "someone"])
    book.close()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            copy.writestr(name, change(archive.read(name)) if name == part else archive.read(name))
    return changed.getvalue()


def with_cell(row: int, cell: str) -> bytes:
    end, more = b"</sheetData>", f'<row r="{row}"><c r="{cell}"><v>1</v></c></row></sheetData>'.encode()
    return excel("xl/worksheets/sheet1.xml", lambda xml: xml.replace(end, more))


def laughing() -> bytes:
    """A billion laughs in a cell."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'?><!DOCTYPE x [<!ENTITY l0 "ha">{entities}]>'.encode()
    return excel("xl/sharedStrings.xml", lambda xml: xml.replace(b"?>", head, 1).replace(b"someone", b"&l9;"))


def repeating() -> bytes:
    """One text of 30 kB that 100,000 cells share."""
    text = os.urandom(15_000).hex().encode()
    rows = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>7</v></c></row>' % (n, n) for n in range(3, 100_003))
    with_text = excel("xl/sharedStrings.xml", lambda xml: xml.replace(b"someone", text))
    with zipfile.ZipFile(io.BytesIO(with_text)) as archive:
        strings = archive.read("xl/sharedStrings.xml")
    assert strings.count(b"<si>") == 8
    full = excel("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", rows + b"</sheetData>"))
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(full)) as archive, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            copy.writestr(name, strings if name == "xl/sharedStrings.xml" else archive.read(name))
    return file.getvalue()


def parquet(**columns: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def not_utf8() -> bytes:
    whole = parquet(order=["teapot"], date=["2024-01-01"], price=[5.0])
    return whole.replace(b"teapot", b"\xfe\xffapot")


SAID: dict[str, tuple[str, str]] = {
    "not_a_table": (
        "This isn't a table. Give a CSV, Excel (.xlsx, .xls) or Parquet file.",
        "这不是表格文件，请提供 CSV、Excel（.xlsx、.xls）或 Parquet 文件。",
    ),
    "nul": (
        "Line {line} contains NUL bytes: the file is damaged, or this isn't a table. Export it again as CSV (UTF-8), "
        "Excel (.xlsx) or Parquet.",
        "第 {line} 行包含 NUL 字节：文件已损坏，或不是表格。请重新导出为 CSV（UTF-8）、Excel（.xlsx）或 Parquet 文件。",
    ),
    "line_too_long": (
        "Line {line} is longer than 1,000,000 bytes: this isn't a table, or a quotation mark is missing.",
        "第 {line} 行超过 1,000,000 字节：这可能不是表格，或缺少引号。",
    ),
    "row_too_long": (
        "Row {line} has more than 1,000,000 characters: this isn't a table of orders, customers or events.",
        "第 {line} 行超过 1,000,000 个字符：这不是订单、客户或事件的表格。",
    ),
    "too_many_columns": (
        "The file has {columns} columns; 500 are possible. Is the delimiter right?",
        "文件有 {columns} 列，最多支持 500 列。请检查分隔符是否正确。",
    ),
    "empty": ("The file has no rows.", "文件中没有任何数据行。"),
    "header_only": ("The file has no rows that can be read.", "文件中没有可读取的数据行。"),
    "unclosed_quote": (
        "A quotation mark in or after line {line} is never closed, or a cell there is longer than 131,072 characters. "
        "Mend the file there, or export it again.",
        "第 {line} 行或其后有引号没有配对，或有单元格超过 131,072 个字符。请修正后重试，或重新导出。",
    ),
    "encoding": (
        "The file's characters can't be read: it isn't written in {encoding}. Save it as “CSV UTF-8” and try again.",
        "无法识别文件的字符编码（不是 {encoding}）。请另存为“CSV UTF-8”后重试。",
    ),
    "broken_gzip": (
        "The compressed file is broken or only half there. Copy or export it again.",
        "压缩文件已损坏或不完整，请重新复制或导出。",
    ),
    "unpacked_too_big": (
        "Unpacked, this file is far bigger than it looks. Save the table as CSV and import that.",
        "文件解压后体积异常庞大，请另存为 CSV 后再导入。",
    ),
    "packed_twice": (
        "There is another packed file inside. Unpack it first.",
        "压缩包内还是压缩文件，请先解压。",
    ),
    "zip": (
        "This is a zip archive. Unpack it and give the table inside.",
        "这是 zip 压缩包，请解压后上传其中的表格。",
    ),
    "broken_excel": (
        "The Excel file is broken or only half there. Open and save it again, or save it as CSV.",
        "Excel 文件已损坏或不完整。请重新打开并保存，或另存为 CSV。",
    ),
    "broken_parquet": (
        "The Parquet file is broken or only half there. Copy or export it again.",
        "Parquet 文件已损坏或不完整，请重新复制或导出。",
    ),
    "password": (
        "The Excel file is locked with a password. Open it, remove the password and save it, or save it as CSV.",
        "Excel 文件设有密码。请打开文件、取消密码并保存，或另存为 CSV。",
    ),
}
"""What is wrong, where, and what to do: by code, or by what is told otherwise under the same code."""
CODE = {"row_too_long": "line_too_long", "header_only": "empty"}


def said(key: str, **values: object) -> Text:
    return Text(*SAID[key]).filled(**values)


@pytest.mark.parametrize(
    ("data", "key", "where"),
    [
        (b"\xff\xd8\xff\xe0 a picture", "not_a_table", {}),
        (b"%PDF-1.7 a document", "not_a_table", {}),
        (bytes(range(256)) * 40, "nul", {"line": 1}),
        (b"title\na,\0b\n1,2\n2,3\n", "nul", {"line": 2}),
        (b"," * 10_000_000, "line_too_long", {"line": 1}),
        (HEADER.encode() + b"," * 10_000_000 + b"\n", "line_too_long", {"line": 2}),
        (b",".join(b"c%d" % i for i in range(600)) + b"\n", "too_many_columns", {"columns": 600}),
        (b"\n\n  \n", "empty", {}),
        (HEADER.encode(), "header_only", {}),
        (HEADER.encode() + b'1,2024-01-01,"2,3\n' + b"1,2024-01-01,1,1,7\n" * 20_000, "unclosed_quote", {"line": 2}),
        (b"\xef\xbb\xbfa,b\n\xff\xfe,1\n", "encoding", {"encoding": "UTF-8"}),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)[:-40], "broken_gzip", {}),
        (gzip.compress(b"1,2\n" * 50_000_000, 9), "unpacked_too_big", {}),
        (gzip.compress(gzip.compress(b"a,b\n1,2\n")), "packed_twice", {}),
        (zipped(**{"orders.csv": b"a,b\n1,2\n"}), "zip", {}),
        (b"PK\x03\x04 cut off", "broken_excel", {}),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "broken_excel", {}),
        (zipped(**{"[Content_Types].xml": b"<Types/>", "xl__workbook.xml": b"<x"}), "broken_excel", {}),
        (bomb(), "unpacked_too_big", {}),
        (lying(bomb()), "broken_excel", {}),
        (b"PAR1 cut off", "broken_parquet", {}),
        (codecs.BOM_UTF8, "empty", {}),
        (HEADER.encode() + b"1,2024-01-01,1,5," + b"x" * 200_000 + b"\n", "unclosed_quote", {"line": 2}),
        (HEADER.encode() + b'1,2024-01-01,1,5,"' + b"x" * 99 + b"\n" * 2_000_000 + b'"\n', "unclosed_quote", {"line": 2}),
        (excel("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"<sheetData>", b"<x>", 1)), "empty", {}),
        (laughing(), "broken_excel", {}),
        (with_cell(1_048_576, "XFD1048576"), "unpacked_too_big", {}),
        (with_cell(4_294_967_295, "ZZZZZZZ99999999"), "broken_excel", {}),
        (excel("xl/sharedStrings.xml", lambda xml: xml.replace(b"someone", b"x" * 2_000_000)), "row_too_long", {"line": 2}),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "password", {}),
        (not_utf8(), "broken_parquet", {}),
        (parquet(**{f"c{n}": [1] for n in range(501)}), "too_many_columns", {"columns": 501}),
    ],
    ids=[
        "jpeg", "pdf", "binary", "NUL", "commas", "commas below", "columns", "blank", "header only", "open quote",
        "wrong after BOM", "half a gzip", "gzip bomb", "gzip of gzip", "zip", "half a zip", "broken xls", "not a workbook",
        "zip bomb", "lying zip bomb", "half a parquet", "only a BOM", "long cell", "long cell of many lines", "empty sheet",
        "billion laughs", "far cell", "impossible cell", "endless cell", "password", "parquet not of UTF-8",
        "parquet of many columns",
    ],
)  # fmt: skip
def test_a_file_that_cant_be_read_is_refused_clearly_and_nothing_goes_in(
    tmp_path: Path, data: bytes, key: str, where: dict[str, object]
) -> None:
    row = uploaded(written(tmp_path, data))
    with pytest.raises(Problem) as refused:
        services.read(services.Silent(), row.pk)
    problem, code = refused.value, CODE.get(key, key)
    assert problem.text == said(key, **where)
    assert (problem.code, problem.field) == (code, "encoding" if code == "encoding" else "file")
    row = queries.get(row.pk)
    assert (row.state, row.error["code"]) == ("failed", code)
    assert log() == []


def test_what_takes_all_memory_to_read_takes_it_in_a_process_of_its_own_and_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "SEALED_MEMORY", 1 << 30)
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), pa.array(["y" * 40_000]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in (repeating(), parquet(order=long, date=long)):
        assert len(data) < 2_000_000
        row = uploaded(written(tmp_path, data))
        with pytest.raises(Problem) as refused:
            services.read(services.Silent(), row.pk)
        assert (refused.value.code, refused.value.text) == ("unpacked_too_big", said("unpacked_too_big"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "KB, on Linux"


def test_columns_of_any_type_of_parquet_come_as_text(tmp_path: Path) -> None:
    data = parquet(
        order=["1", "2"], date=["2024-01-01", "2024-01-02"], price=[5.0, float("inf")], lists=[[1, 2], None],
        structs=[{"a": 1}, None], maps=pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        words=pa.array(["x", None]).dictionary_encode(), bytes=[b"\xff", b"\0"], nothing=pa.nulls(2),
        day=pa.array([2**31 - 1, 0], pa.date32()), moment=pa.array([2**62, 0], pa.timestamp("us")),
        span=pa.array([2**62, 1], pa.duration("us")), amount=pa.array([1, None], pa.decimal128(10, 2)),
    )  # fmt: skip
    path = written(tmp_path, data)
    (batch,) = reading.batches(path, reading.layout(path))
    first, second = zip(*batch.columns, strict=True)
    assert first[:10] == ("1", "2024-01-01", "5", "[1, 2]", "{'a': 1}", "[('k', 1)]", "x", "�", None, "2147483647")
    assert first[10:] == (str(2**62), "53375995 days, 14:00:27.387904", "1.00")
    assert second == (
        "2", "2024-01-02", "inf", None, None, None, None, "�", None, "1970-01-01", "1970-01-01 00:00:00",
        "0:00:00.000001", None,
    )  # fmt: skip


def test_a_file_is_what_is_in_it_whatever_its_name_says(tmp_path: Path) -> None:
    text = HEADER + "1,2024-01-01,1,5,someone\n"
    table = parquet(order=["1"], date=["2024-01-01"])
    for data, name, found in [
        (excel(), "orders.csv", "excel"),
        (text, "orders.xlsx", "csv"),
        (text, "orders.parquet", "csv"),
        (table, "orders.csv", "parquet"),
    ]:
        assert reading.layout(written(tmp_path, data, name)).format == found


def test_lines_may_end_in_any_way_also_in_one_file(tmp_path: Path) -> None:
    text = HEADER.replace("\n", "\r\n") + "1,2024-01-01,1,5,a\n2,2024-01-02,1,5,b\r3,2024-01-03,1,5,c\r\n\n"
    path = written(tmp_path, text + '4,2024-01-04,1,5,"d\re"\n\r5,2024-01-05,1,5,f\u2028g')
    (batch,) = reading.batches(path, reading.layout(path))
    assert (batch.faults, list(batch.columns[0]), batch.columns[4][-2:]) == ([], list("12345"), ("d\re", "f\u2028g"))


def test_an_empty_file_is_refused_at_once() -> None:
    from regulars.accounts.actors import SYSTEM

    with pytest.raises(Problem) as refused:
        services.upload(kind="orders", name="x.csv", chunks=[], by=SYSTEM)
    assert (refused.value.code, refused.value.field) == ("empty", "file")
    assert refused.value.text == Text("The file is empty.", "文件是空的。")
    assert queries.imports() == []


def test_half_a_file_gives_its_whole_rows_and_rejects_the_torn_one(tmp_path: Path) -> None:
    whole = HEADER + "1,2024-01-01,1,5,茶客\n2,2024-01-02,1,5,茶客\n3,2024-01-03,1"
    row = imported(written(tmp_path, whole))
    assert (row.counts["sales_new"], row.counts["rejected"]) == (2, {"cells": 1})
    assert [line[-3:] for line in rejects(row)[1:]] == [
        ["4", "The row has another number of cells than the header.", "该行的单元格数与标题行不一致。"]
    ]
    torn = (HEADER + "1,2024-01-01,1,5,茶客\n2,2024-01-02,1,5,茶").encode()[:-1]
    row = imported(written(tmp_path, torn), source="torn")
    assert row.counts["sales_new"] == 2


def test_rows_with_nul_bytes_too_many_cells_or_an_open_quote_come_back(tmp_path: Path) -> None:
    rows = [f"{n},2024-01-01,1,5,c{n}" for n in range(1, 41)]
    rows[9] = "10,2024-01-01,1,5,c\0d"
    rows[19] = "20,2024-01-01,1,5,c20,and,more"
    rows[39] = '40,2024-01-01,1,5,"c40'
    row = imported(written(tmp_path, HEADER + "\n".join(rows) + "\n"))
    assert row.counts["rejected"] == {"cells": 1, "nul": 1}
    assert [line[-3:] for line in rejects(row)[1:]] == [
        [
            "11",
            "The row contains NUL bytes. Remove them, or export the file again.",
            "该行包含 NUL 字节。请将其删除，或重新导出文件。",
        ],
        ["21", "The row has another number of cells than the header.", "该行的单元格数与标题行不一致。"],
    ]


@pytest.mark.parametrize("bytes_", ["\0", "\0" * 60, "茶\0"], ids=["one", "many", "Chinese"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_nul_byte_is_told_with_its_row_however_small_the_file(tmp_path: Path, bytes_: str, encoding: str) -> None:
    whole = f"{HEADER}1,2024-01-01,1,5,顾客\n2,2024-01-02,1,5,c{bytes_}d\n"
    row = uploaded(written(tmp_path, whole.encode(encoding)))
    try:
        services.read(services.Silent(), row.pk)
    except Problem as problem:  # so many that it looks like no text
        assert len(bytes_) > 2
        assert "Line 3 contains NUL bytes" in problem.text.en and "第 3 行" in problem.text.zh
    else:
        row = imported(written(tmp_path, whole.encode(encoding)))
        assert [(line[-3], line[-2][:26]) for line in rejects(row)[1:]] == [("3", "The row contains NUL bytes")]


def test_formulas_come_back_as_text_that_no_spreadsheet_runs(tmp_path: Path) -> None:
    text = "order,date,quantity,price,\"=cmd|'/c calc'!A0\"\n"
    text += '1,bad,-2,5,"=HYPERLINK(""http://evil"")"\n2,bad,+1,5,@SUM(A1)\n3,bad,1,-5.5,\tx\n'
    found = rejects(imported(written(tmp_path, text), columns={"order_id": "order", "at": "date", "price": "price"}))
    assert found[0][4] == "'=cmd|'/c calc'!A0"
    assert found[1][:5] == ["1", "bad", "-2", "5", '\'=HYPERLINK("http://evil")']
    assert found[2][4] == "'@SUM(A1)"
    assert found[3][3] == "-5.5"


def test_dates_of_1900_and_9999_are_rejected(tmp_path: Path) -> None:
    text = HEADER + "1,1900-01-01,1,5,a\n2,9999-12-31,1,5,a\n3,2024-02-30,1,5,a\n4,,1,5,a\n5,2024-02-29,1,5,a\n"
    row = imported(written(tmp_path, text))
    assert row.counts["rejected"] == {"date_bad": 1, "date_early": 1, "date_late": 1, "date_missing": 1}
    assert [line[-3:] for line in rejects(row)[1:]] == [
        ["2", "The date is before 1970.", "日期早于 1970 年。"],
        ["3", "The date is in the future.", "日期在未来。"],
        ["4", "The date can't be read.", "无法识别日期。"],
        ["5", "There is no date.", "缺少日期。"],
    ]
    assert row.counts["sales_new"] == 1


def test_a_wrong_encoding_asked_for_is_refused_at_its_field(tmp_path: Path) -> None:
    path = written(tmp_path, "名称\n茶\n".encode("gb18030"))
    for encoding, text in (
        ("utf-8", said("encoding", encoding="UTF-8")),
        ("no-such-thing", Text("There is no such encoding.", "没有这种编码。")),
    ):
        with pytest.raises(Problem) as refused:
            reading.layout(path, encoding=encoding)
        assert (refused.value.code, refused.value.field) == ("encoding", "encoding")
        assert refused.value.text == text


def test_a_name_like_a_path_leads_nowhere(home: Path) -> None:
    from regulars.accounts.actors import SYSTEM

    row = services.upload(kind="orders", name="..\\..\\etc/../../passwd", chunks=[b"x"], by=SYSTEM)
    assert row.name == "passwd"
    assert [p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()] == [
        f"files/imports/{row.pk}/source"
    ]
