"""What is proposed for files as shops export them."""

import csv
from pathlib import Path

import pytest
import xlsxwriter

from regulars.imports import mappings, queries
from tests.imports.worlds import imported, mapped, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]


def proposal(folder: Path, text: str, kind: str = "orders") -> tuple[mappings.Mapping, list[str]]:
    row = mapped(written(folder, text), kind)
    return mappings.parsed(row.mapping), [one["en"] for one in row.remarks]


def test_the_file_of_a_wholesaler_is_understood(tmp_path: Path) -> None:
    text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    text += "".join(f"5363{n},85123A,HOLDER,6,12/1/2010 8:26,2.55,17850.0,United Kingdom\n" for n in range(10, 30))
    text += "".join(f"C5363{n},85123A,HOLDER,-6,12/13/2010 8:26,2.55,17850.0,France\n" for n in range(30, 34))
    mapping, told = proposal(tmp_path, text)
    assert mapping.columns == {
        "order_id": "InvoiceNo", "product_id": "StockCode", "product": "Description", "quantity": "Quantity",
        "at": "InvoiceDate", "price": "UnitPrice", "user_id": "CustomerID", "country": "Country",
    }  # fmt: skip
    assert mapping.returns == mappings.Returns(by="prefix", prefix="C")
    assert told == []


def test_the_export_of_a_chinese_shop_is_understood(tmp_path: Path) -> None:
    text = "订单编号,订单付款时间,宝贝标题,商品数量,单价（元）,买家实际支付金额,订单状态,收货人姓名,联系手机,店铺名称,订单来源\n"
    text += "20240001,2024/1/5 9:30,乌龙茶,2,39.90,79.80,交易成功,张三,13800138000,南京东路店,小程序\n"
    text += "20240002,2024/1/6 19:30,龙井,1,88.00,138.00,交易成功,李四,13900139000,南京东路店,小程序\n"
    text += "20240002,2024/1/6 19:30,茶杯,1,50.00,138.00,交易成功,李四,13900139000,南京东路店,小程序\n"
    text += "20240003,2024/1/7 8:00,普洱,1,120,120.00,等待买家付款,王五,13700137000,南京东路店,小程序\n"
    text += "20240004,2024/1/7 9:00,普洱,1,120,120.00,退款成功,王五,13700137000,南京东路店,小程序\n"
    text += "20240005,2024/1/7 9:00,普洱,1,120,120.00,交易关闭,王五,13700137000,南京东路店,小程序\n"
    text += "20240006,2024/1/7 9:00,普洱,1,120,120.00,部分发货中,王五,13700137000,南京东路店,小程序\n"
    mapping, told = proposal(tmp_path, text)
    assert mapping.columns == {
        "order_id": "订单编号", "at": "订单付款时间", "product": "宝贝标题", "quantity": "商品数量", "price": "单价（元）",
        "order_total": "买家实际支付金额", "status": "订单状态", "name": "收货人姓名", "phone": "联系手机", "store": "店铺名称",
        "channel": "订单来源",
    }  # fmt: skip
    assert mapping.statuses == {
        "交易成功": "paid", "等待买家付款": "unpaid", "退款成功": "refunded", "交易关闭": "cancelled",
    }  # fmt: skip
    assert told == ["Say what these statuses mean; until then their rows are rejected: 部分发货中."]


def test_an_amount_that_all_lines_of_an_order_share_is_the_order_s(tmp_path: Path) -> None:
    same = "order,date,amount,customer id\n1,2024-01-01,30,a\n1,2024-01-01,30,a\n2,2024-01-02,5,b\n"
    assert proposal(tmp_path, same)[0].columns["order_total"] == "amount"
    other = "order,date,total,customer id\n1,2024-01-01,30,a\n1,2024-01-01,12,a\n2,2024-01-02,5,b\n"
    assert proposal(tmp_path, other)[0].columns["line_total"] == "total"


HEADER = "订单号,下单时间,手机号,门店,商品,数量,实付金额\n"
SINGLE = "".join(f"T{n},2024-01-{n % 28 + 1:02} 10:00,139000000{n % 30:02},东店,龙井,1,{n}.50\n" for n in range(10, 50))
AGAIN = "T20,2024-01-21 10:00,13900000020,东店,龙井,1,20.50\n"


def said(folder: Path, text: str, **changes: object) -> tuple[str, list[str]]:
    """What the amount is taken for, and the doubts of the mapping's page."""
    row = mapped(written(folder, text), **changes)
    target = next(target for target, header in row.mapping["columns"].items() if header == "实付金额")
    return target, [text.en for _, text in queries.preview(row).doubts]


@pytest.mark.parametrize("store", ["东店", "西店"])
def test_one_odd_number_doesnt_flip_whose_the_amounts_are(tmp_path: Path, store: str) -> None:
    odd = f"T30,2024-02-01 10:00,13900000099,{store},普洱,1,77.00\n"  # another customer's, of the same store or not
    assert said(tmp_path, HEADER + SINGLE) == ("order_total", [])
    twice = "1 row stands in the file again, word for word. An order's amount counts once: no sum changes."
    assert said(tmp_path, HEADER + SINGLE + AGAIN) == ("order_total", [twice])
    clash = (
        "1 order number stands with several customers: the rows of the first are taken in, the others rejected."
        if store == "东店"
        else "1 order number stands in several stores: each store's is an order of its own."
    )
    assert said(tmp_path, HEADER + SINGLE + AGAIN + odd) == ("order_total", [clash, twice])


def test_amounts_that_differ_within_an_order_are_told_with_what_they_mean_for_the_sums(tmp_path: Path) -> None:
    odd = "T30,2024-01-03 10:00,13900000000,东店,普洱,1,77.00\n"
    target, told = said(tmp_path, HEADER + SINGLE + odd)
    assert (target, told) == (
        "order_total",
        [
            "In 1 of 1 orders with several rows the rows say different amounts. Read as “Amount of the order”, only the "
            "first row's amount counts and 77.00 stay out of the sums. If a row is a line, choose “Amount of the line”."
        ],
    )
    lines = "".join(f"T{n},2024-01-03 10:00,139000000{n % 30:02},东店,普洱,1,77.00\n" for n in (31, 32, 33))
    target, told = said(tmp_path, HEADER + SINGLE + AGAIN + lines)
    assert target == "line_total"
    assert told == [
        "1 row stands in the file again, word for word. Each counts as a line of its own, 20.50 in all. If they are "
        "copies, take them out of the file first."
    ]


def test_the_doubts_follow_a_mapping_that_people_change_and_stay_with_the_import(tmp_path: Path) -> None:
    same = "".join(
        f"T{n},2024-01-{n % 28 + 1:02} 10:00,139000000{n % 30:02},东店,普洱,1,{n}.50\n" for n in (31, 32, 33)
    )
    row = mapped(written(tmp_path, HEADER + SINGLE + same))
    columns = row.mapping["columns"]
    assert "order_total" in columns and queries.preview(row).doubts == []
    columns["line_total"] = columns.pop("order_total")
    done = imported(written(tmp_path, HEADER + SINGLE + same), columns=columns)
    assert [one["en"] for one in done.remarks] == [
        "In 3 of 3 orders with several rows all rows say the same amount. Read as “Amount of the line” they add up. If "
        "it is the whole order's, choose “Amount of the order”; the sums then hold 97.50 less."
    ]


def test_numbers_that_begin_anew_each_day_are_told_and_taken_by_day(tmp_path: Path) -> None:
    days = "".join(f"{n},2024-01-{d:02},1,5,c{n}\n" for d in range(1, 15) for n in range(1, 4))
    mapping, told = proposal(tmp_path, "receipt no,date,qty,price,member id\n" + days)
    assert mapping.repeats == "daily"
    assert told == ["Order numbers come again on other days: a number counts for its own day."]


def test_contact_data_is_known_by_its_content(tmp_path: Path) -> None:
    text = "when,paid,x,y\n2024-05-01,5.00,li@example.com,13800138000\n2024-05-02,6.00,wu@example.com,13900139000\n"
    columns = proposal(tmp_path, text)[0].columns
    assert (columns["email"], columns["phone"], columns["at"]) == ("x", "y", "when")


def test_a_file_without_customers_is_told_to_be_anonymous(tmp_path: Path) -> None:
    row = mapped(written(tmp_path, "order,date,price\n1,2024-01-01,5\n"))
    assert [text.en for _, text in queries.preview(row).doubts] == [
        "No column tells customers apart: all sales would be anonymous."
    ]


def test_customers_keep_unknown_columns_as_attributes(tmp_path: Path) -> None:
    text = "姓名,手机号,性别,生日,标签,饮食偏好\n张三,13800138000,男,1990-05-31,老客,少糖\n"
    mapping, _ = proposal(tmp_path, text, "customers")
    assert mapping.columns == {"name": "姓名", "phone": "手机号", "gender": "性别", "birthday": "生日", "tags": "标签"}
    assert mapping.properties == ("饮食偏好",)


def test_what_is_missing_is_said_at_its_field(tmp_path: Path) -> None:
    row = mapped(written(tmp_path, "a,b\nx,y\n"))
    assert [(fault.code, fault.field) for fault in queries.preview(row).faults] == [
        ("date_needed", "at"),
        ("amount_needed", "price"),
    ]


def test_a_sign_at_the_prices_says_the_currency_and_foreign_money_is_asked_about(tmp_path: Path) -> None:
    row = mapped(written(tmp_path, "order,date,price,customer id\n1,2024-01-01,£5.00,a\n"))
    assert mappings.parsed(row.mapping).currency == "GBP"
    (fault,) = queries.preview(row).faults
    assert (fault.code, fault.field) == ("foreign_currency", "currency")
    assert "GBP (1)" in fault.text.en


NAMED = {
    "Customer": ["Anna Smith", "Bo Li", "Chloé Dupont", "O'Brien, Pat"],
    "Client": ["Anna", "Bo", "Chloé", "Dev"],
    "Customer ID": ["Anna Smith", "Bo Li", "Chloé Dupont", "Dev Patel"],
    "客户": ["王小雨", "李明", "欧阳娜娜", "张**"],
    "客人": ["王女士", "李先生", "陈 晨", "Anna Smith"],
}


@pytest.mark.parametrize("header", list(NAMED))
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_names_are_never_taken_for_numbers_of_customers(tmp_path: Path, header: str, form: str) -> None:
    rows = [["order", "date", header, "phone", "amount"]]
    rows += [[str(n), f"2026-11-0{n + 1}", name, f"1380000000{n}", "10"] for n, name in enumerate(NAMED[header])]
    path = tmp_path / f"orders.{form}"
    if form == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    else:
        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet()
            for n, line in enumerate(rows):
                sheet.write_row(n, 0, line)
    row = mapped(path)
    columns = row.mapping["columns"]
    assert (columns.get("name"), columns["phone"], "user_id" in columns) == (header, "phone", False)


@pytest.mark.parametrize("header", ["Customer", "客户", "Client", "会员"])
def test_codes_under_the_same_headers_are_numbers_of_customers(tmp_path: Path, header: str) -> None:
    text = f"order,date,{header},amount\n1,2026-11-01,C-001,10\n2,2026-11-02,C-002,12\n3,2026-11-02,10003,12\n"
    columns = proposal(tmp_path, text)[0].columns
    assert (columns.get("user_id"), "name" in columns) == (header, False)


def test_a_mark_or_a_level_under_such_a_header_is_neither(tmp_path: Path) -> None:
    text = "order,date,会员,客户等级,amount\n1,2026-11-01,是,金卡,10\n2,2026-11-02,否,银卡,12\n"
    columns = proposal(tmp_path, text)[0].columns
    assert not columns.keys() & {"user_id", "name"}


def test_who_takes_names_for_numbers_is_warned_at_the_field(tmp_path: Path) -> None:
    text = "order,date,Customer,amount\n1,2026-11-01,Bo Li,10\n2,2026-11-02,Anna Smith,12\n"
    row = mapped(written(tmp_path, text))
    columns = dict(row.mapping["columns"])
    assert [field for field, _ in queries.preview(row).doubts] == ["user_id"]  # nothing tells customers apart
    columns["user_id"] = columns.pop("name")
    ((field, told),) = queries.preview(mapped(written(tmp_path, text), columns=columns)).doubts
    assert (field, told.en[:45]) == ("user_id", "These look like names (Anna Smith, Bo Li). Tw")
    assert told.zh.startswith("这些值看起来像姓名（Anna Smith、Bo Li）。")


def test_orders_among_files_of_customers_are_pointed_out(tmp_path: Path) -> None:
    text = "订单编号,付款时间,实付金额,姓名,手机号\n1,2026-11-01,10,李波,13800138000\n"
    _, told = proposal(tmp_path, text, "customers")
    assert told == [
        "This file looks like orders (订单编号, 付款时间, 实付金额). "
        "To bring the orders in too, begin again and choose Orders."
    ]
    people = "name,phone,birthday,city\nBo Li,13800138000,1990-01-01,Shanghai\n"
    assert proposal(tmp_path, people, "customers")[1] == []


def test_one_customer_spelled_twice_is_no_doubt_about_an_order(tmp_path: Path) -> None:
    head = "order id,date,phone,email,amount\n"
    one = "1,2026-11-01,+86 139 0000 0000,A@b.com,10\n1,2026-11-01,13900000000,,12\n2,2026-11-01,,a@b.com,5\n"
    row = mapped(written(tmp_path, head + one))
    assert (row.mapping["columns"]["line_total"], queries.preview(row).doubts) == ("amount", [])
    two = "3,2026-11-01,13800138000,,5\n3,2026-11-01,13900139000,,5\n"
    told = queries.preview(mapped(written(tmp_path, head + one + two))).doubts
    assert [text.en[:45] for _, text in told] == ["1 order number stands with several customers:"]
