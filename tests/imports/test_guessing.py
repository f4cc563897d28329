"""What is proposed for files as shops export them."""

from pathlib import Path

import pytest

from regulars.imports import mappings, queries
from tests.imports.worlds import mapped, written

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
    assert proposal(tmp_path, "order,date,price\n1,2024-01-01,5\n")[1] == [
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
