"""Customers and generic events from files."""

import json
from pathlib import Path

import pytest

from regulars.customers import queries as customers
from regulars.imports import queries
from tests.imports.worlds import imported, log, mapped, rejects, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]

PEOPLE = """姓名,手机号,邮箱,性别,生日,城市,标签,饮食偏好
张三,138 0013 8000,zhang@example.com,男,1990年5月31日,上海,老客、会员,少糖
李四,13900139000,,女,,苏州,,
王五,12,,男,,,,
赵六,,,女,,,,
孙七,13700137000,,不详,,,,
"""


def test_customers_come_with_identities_details_tags_and_attributes(tmp_path: Path) -> None:
    row = imported(written(tmp_path, PEOPLE), "customers")
    assert (row.counts["customers_new"], row.counts["rejected"], row.counts["partly"]) == (
        3,
        {"identity_bad": 1, "identity_missing": 1},
        1,
    )
    (card,) = customers.find("13800138000")
    profile = customers.get(card.id)
    assert profile.fields["name"] == "张三"
    assert (profile.fields["birthday"].isoformat(), profile.fields["gender"]) == ("1990-05-31", "male")
    assert profile.custom == {"饮食偏好": "少糖"}
    assert [(line[-3], line[-2][:52]) for line in rejects(row)[1:]] == [
        ("4", "The customer's phone, e-mail or number can't be righ"),
        ("5", "Nothing tells which customer this is."),
        ("6", "Taken in, but without a part of it: Gender is one of"),
    ]


def test_the_same_customers_twice_change_nothing(tmp_path: Path) -> None:
    imported(written(tmp_path, PEOPLE), "customers")
    row = imported(written(tmp_path, PEOPLE), "customers")
    assert row.counts["customers_known"] == 3
    assert "customers_new" not in row.counts


EVENTS = """事件名称,时间,会员编号,店铺,product_id,次数,备注
Product Viewed,2024-05-01 10:00,c1,南京东路店,T1,2,00123
Product Viewed,2024-05-01 10:00,c1,南京东路店,T1,2,00123
到店,2024-05-01 11:00,c2,,,1,"{""table"": 4}"
Order Completed,2024-05-01 12:00,c2,,,1,
,2024-05-01 12:00,c2,,,1,
Consent Given,2024-05-01 12:00,c2,,,1,
"""


def test_events_come_with_their_further_columns_as_properties(tmp_path: Path) -> None:
    row = imported(written(tmp_path, EVENTS), "events")
    found = log()
    assert [(event["name"], event["at"]) for event in found] == [
        ("Product Viewed", "2024-05-01 02:00:00"),
        ("Product Viewed", "2024-05-01 02:00:00"),
        ("到店", "2024-05-01 03:00:00"),
        ("Order Completed", "2024-05-01 04:00:00"),
    ]
    assert found[0]["properties"] == {"store": "南京东路店", "product_id": "T1", "次数": 2, "备注": "00123"}
    assert found[2]["properties"] == {"次数": 1, "备注": {"table": 4}}
    assert found[0]["record"] == found[1]["record"] != found[2]["record"]
    assert row.counts["rejected"] == {"event_bad": 1, "event_missing": 1}
    assert "recorded by the system itself" in rejects(row)[2][-2]
    again = imported(written(tmp_path, EVENTS), "events")
    assert (log(), again.counts["events_same"]) == (found, 4)


def test_events_of_a_file_make_sense_or_are_rejected_with_the_reason(tmp_path: Path) -> None:
    text = "event,at,customer id,kind,score,total\n"
    text += "Survey Answered,2024-05-01,a,nps,99,\nSurvey Answered,2024-05-01,a,nps,10,\n"
    text += "Order Completed,2024-05-01,a,,,-5\nOrder Refunded,2024-05-01,a,,,-5\n"
    row = imported(written(tmp_path, text), "events")
    assert [event["name"] for event in log()] == ["Survey Answered", "Order Refunded"]
    assert ["no score of NPS" in line[-2] or "Order Refunded" in line[-2] for line in rejects(row)[1:]] == [True, True]


def test_one_name_can_stand_for_all_events_and_the_file_s_own_ids_are_kept(tmp_path: Path) -> None:
    text = "event id,date,email\ne-1,2024-05-01,li@example.com\ne-1,2024-05-01,li@example.com\n"
    row = mapped(written(tmp_path, text), "events")
    assert [fault.field for fault in queries.preview(row).faults] == ["event"]
    row = imported(written(tmp_path, text), "events", event="Newsletter Opened")
    assert [(event["name"], event["id"]) for event in log()] == [("Newsletter Opened", "e-1")]
    assert (row.counts["events_new"], row.counts["events_same"]) == (1, 1)


def test_a_mapping_survives_json_and_a_wrong_one_says_where(tmp_path: Path) -> None:
    from regulars.imports import mappings
    from regulars.kernel.errors import Invalid

    row = mapped(written(tmp_path, EVENTS), "events")
    chosen = mappings.parsed(row.mapping)
    assert mappings.parsed(json.loads(json.dumps(chosen.model_dump(mode="json")))) == chosen
    with pytest.raises(Invalid) as refused:
        mappings.parsed({"kind": "orders", "columns": {}, "returns": {"by": "magic"}})
    assert refused.value.field == "returns.by"
