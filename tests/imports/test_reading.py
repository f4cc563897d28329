"""Any honest table is read alike, whatever it is written in."""

import codecs
import datetime
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from regulars.imports import reading
from regulars.kernel.errors import Invalid
from tests.imports.worlds import written

MORNING = datetime.datetime.fromisoformat("2011-12-09T08:26:00")
TEXT = "订单号,商品,数量\nA1,乌龙茶,2\nA2,龙井,1\n"


def rows_of(path: Path, **options: str) -> tuple[list[str], list[tuple[str | None, ...]]]:
    layout = reading.layout(path, **options)
    rows: list[tuple[str | None, ...]] = []
    for batch in reading.batches(path, layout):
        rows += zip(*batch.columns, strict=True)
    return layout.headers, rows


EXPECTED = (["订单号", "商品", "数量"], [("A1", "乌龙茶", "2"), ("A2", "龙井", "1")])


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("gb18030"),
        TEXT.encode("gbk"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT.encode("gb18030")),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "|").encode(),
        TEXT.replace(",", "，").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        ("sep=;\n" + TEXT.replace(",", ";")).encode(),
        TEXT.replace("乌龙茶", '"乌龙茶"').encode(),
        b"\n" + TEXT.encode() + b"\n\n",
        TEXT.replace("\n", ",,\n").encode(),
        ("2024 年销售明细,,\n" + TEXT).encode(),
    ],
    ids=[
        "utf-8", "utf-8 with BOM", "gb18030", "gbk", "utf-16", "utf-16 BE", "utf-32", "gzip", "gzip of gb18030",
        "semicolon", "tab", "bar", "full-width comma", "CRLF", "CR", "sep=", "quoted", "empty lines", "trailing commas",
        "a title above",
    ],
)  # fmt: skip
def test_a_csv_is_read_in_any_encoding_and_with_any_delimiter(tmp_path: Path, data: bytes) -> None:
    assert rows_of(written(tmp_path, data)) == EXPECTED


def test_western_and_traditional_chinese_encodings_are_recognised(tmp_path: Path) -> None:
    text = "order;café;naïve\n1;crème brûlée;Zoë\n2;Ångström;Müller à Genève\n" * 3
    assert rows_of(written(tmp_path, text.encode("cp1252")))[1][0] == ("1", "crème brûlée", "Zoë")
    assert rows_of(written(tmp_path, "單號,商品\n1,烏龍茶飲料專賣店\n".encode("big5")), encoding="big5")[1] == [
        ("1", "烏龍茶飲料專賣店")
    ]


def test_columns_set_apart_by_blanks_and_a_file_without_header_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n")
    assert rows_of(path) == (
        ["Column 1", "Column 2", "Column 3", "Column 4"],
        [("00001", "19970101", "1", "11.77"), ("00002", "19970112", "1", "12.00")],
    )
    assert "no header" in reading.layout(path).remarks[0][0]


def test_quotes_line_breaks_and_delimiters_inside_a_cell_are_part_of_it(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n"1,\n2","say ""hi"""\n')
    assert rows_of(path)[1] == [("1,\n2", 'say "hi"')]
    path = written(tmp_path, 'a,b\n"say \\"hi\\"",2\n"x",3\n')
    assert rows_of(path)[1] == [('say "hi"', "2"), ("x", "3")]


def test_headers_that_are_missing_or_stand_twice_get_names_and_are_told(tmp_path: Path) -> None:
    layout = reading.layout(written(tmp_path, "id,name,name,,total\na,b,c,d,e\n"))
    assert layout.headers == ["id", "name", "name (2)", "Column 4", "total"]
    assert layout.remarks == [
        ("The header “name” stands more than once; the one in column 3 is called “name (2)” here.",
         "标题“name”重复出现，第 3 列在此改称“name (2)”。"),
        ("Column 4 has no header.", "第 4 列没有标题。"),
    ]  # fmt: skip


def test_excel_gives_dates_numbers_and_texts_and_skips_titles(tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    book = xlsxwriter.Workbook(str(path))
    book.add_worksheet("empty")
    sheet = book.add_worksheet("订单")
    sheet.write(0, 0, "2024 年销售明细")
    sheet.write_row(2, 0, ["order", "when", "amount", "paid"])
    sheet.write_row(3, 0, [536365])
    sheet.write_datetime(3, 1, MORNING, book.add_format({"num_format": "yyyy-mm-dd hh:mm"}))
    sheet.write_row(3, 2, [12.5, True])
    sheet.write_row(5, 0, ["0001", 40521.35, 1e-05, False])
    book.close()
    assert rows_of(path) == (
        ["order", "when", "amount", "paid"],
        [("536365", "2011-12-09 08:26:00", "12.5", "true"), ("0001", "40521.35", "1e-05", "false")],
    )
    assert reading.layout(path).remarks == [
        ("The file has 2 sheets; “订单” is read.", "文件有 2 个工作表，读取的是“订单”。")
    ]
    with pytest.raises(Invalid) as refused:
        reading.layout(path, sheet="2025")
    assert refused.value.field == "sheet"


def test_parquet_gives_times_in_utc_and_exact_decimals(tmp_path: Path) -> None:
    from decimal import Decimal

    path = tmp_path / "orders.parquet"
    at = datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "id": pa.array([1, 2]),
            "at": pa.array([at, None], pa.timestamp("ns", tz="Asia/Shanghai")),
            "naive": pa.array([at.replace(tzinfo=None), None], pa.timestamp("us")),
            "amount": pa.array([Decimal("0.10"), None], pa.decimal128(10, 2)),
        }
    )
    pq.write_table(table, path)
    assert rows_of(path) == (
        ["id", "at", "naive", "amount"],
        [("1", "2024-05-01 10:00:00Z", "2024-05-01 10:00:00", "0.10"), ("2", None, None, None)],
    )


def test_of_a_workbook_the_first_sheet_with_a_table_is_read_not_its_cover(tmp_path: Path) -> None:
    path = tmp_path / "two.xlsx"
    with xlsxwriter.Workbook(path) as book:
        cover = book.add_worksheet("说明")
        cover.write_column(0, 0, ["本文件由收银系统导出", "请勿修改"])
        book.add_worksheet("九月").write_row(0, 0, ["订单号", "金额"])
        book.get_worksheet_by_name("九月").write_row(1, 0, ["1", 5])
    assert (reading.layout(path).sheet, reading.layout(path, sheet="说明").headers) == (
        "九月",
        ["本文件由收银系统导出"],
    )
