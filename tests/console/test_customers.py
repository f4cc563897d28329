"""Customers in the console: found, filtered, changed, merged, erased, exported; and everything undone again."""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.customers import queries
from regulars.kernel import clock

NAMES = {"rain": "王小雨", "ming": "李明", "eve": "=Eve"}


def _listed(page: str) -> list[str]:
    return [
        name
        for name, shown in sorted(NAMES.items(), key=lambda pair: page.find(f">{pair[1]}</a>"))
        if f">{shown}</a>" in page
    ]


LISTS = [
    ("", ["ming", "rain", "eve"]),  # by net spend: 15 × 80, 12 × 50, 30
    ("?sort=net", ["eve", "rain", "ming"]),
    ("?sort=-last_day", ["rain", "eve", "ming"]),
    ("?q=%2B86 138 0000 0002", ["ming"]),
    ("?q=EVE@example.com", ["eve"]),
    ("?q=王小", ["rain"]),
    ("?q=nobody", []),
    ("?stage=lost", ["ming"]),
    ("?stage=new&stage=active", ["rain", "eve"]),
    ("?orders_min=2&orders_max=12", ["rain"]),
    ("?net_min=500.5", ["ming", "rain"]),
    ("?recency_max=20", ["rain", "eve"]),
    ("?store=西湖店", ["ming", "rain", "eve"]),
    ("?first=2026-06", ["eve"]),
    ("?first=2026-06-03..2026-06-10", ["eve"]),
    ("?first=2026-06-11..2026-06-29", []),
    ("?first=2026-06-11..", []),
    ("?bought_store=西湖店&since=2026-06-20", ["rain"]),
    ("?bought_channel=web", []),
    ("?chance_min=0", []),  # of so few people nobody's chance can be told
    ("?first=2026-13", []),  # what can't be read or doesn't exist nobody matches
    ("?since=yesterday", []),
    ("?net_min=x", []),
    ("?net_min=-5", ["ming", "rain", "eve"]),  # of net spend that can be
    ("?orders_min=-5", []),
    ("?orders_min=1.5", []),
    ("?chance_min=500", []),
    ("?orders_min=12&orders_max=2", []),
    ("?risk=2", []),
    ("?r=9", []),
    ("?group=high_value", []),
    ("?stage=new&stage=nonsense", ["eve"]),
    ("?sort=drop", ["ming", "rain", "eve"]),
]


def test_the_address_says_who_is_listed(judged: dict[str, int], as_role: Any) -> None:
    client = as_role("marketer")
    for query, found in LISTS:
        answer = client.get("/customers" + query)
        assert answer.status_code == 200, query
        assert _listed(answer.content.decode()) == found, query


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Nobody matches a filter that doesn't exist: RFM group: high_value · R: 9. Take it away."),
     ("zh-Hans", "以下筛选条件不存在，没有客户符合：RFM 分组：high_value · R：9。请移除后重试。")],
)  # fmt: skip
def test_a_filter_that_doesnt_exist_is_told_and_nothing_is_done_to_everybody(
    judged: dict[str, int], as_role: Any, language: str, said: str
) -> None:
    client = as_role("marketer", language)
    page = client.get("/customers?group=high_value&r=9").content.decode()
    assert said in page
    assert 'href="?r=9"' in page  # without the first
    for query in ("group=high_value", "r=9"):
        client.post("/customers/tag", {"tag": "VIP", "all": "1", "query": query})
    assert queries.tag_names() == []


def test_the_list_shows_two_tags_and_how_many_more_there_are(judged: dict[str, int], as_role: Any) -> None:
    client = as_role("marketer")
    for tag in ("d", "c", "b", "a"):
        client.post("/customers/tag", {"tag": tag, "ids": judged["eve"]})
    page = client.get("/customers").content.decode()
    assert re.findall(r'<span class="mark" title="(.)">', page) == ["a", "b"]
    assert re.findall(r'<span class="mark rest" title="(.*?)"><span aria-hidden="true">(.*?)<', page) == [
        ("c, d", "+2")
    ]


FILTERS = "?stage=lost&net_min=1000&net_max=1234.5&orders_min=2&recency_max=900&r=1&tag=VIP&anonymous=1"
CHIPS = {
    "en": ["Stage: Lost", "Tag: VIP", "Anonymous visitors too", "R: 1", "Net spend: ¥1,000 to ¥1,234.50",
           "Orders: at least 2", "Days since the last purchase: at most 900"],
    "zh-Hans": ["阶段：流失", "标签：VIP", "包括匿名访客", "R：1", "净消费：¥1,000 至 ¥1,234.50", "订单数：至少 2",
                "距上次购买天数：至多 900"],
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_filters_that_are_on_read_as_sentences_and_each_can_be_taken_away(
    judged: dict[str, int], as_role: Any, language: str
) -> None:
    page = as_role("marketer", language).get("/customers" + FILTERS).content.decode()
    chips = re.findall(r'<a class="chip on" href="([^"]*)"[^>]*>([^<]*)<', page)
    assert [text for _, text in chips] == CHIPS[language]
    assert chips[2][0].replace("&amp;", "&") == FILTERS.replace("&anonymous=1", "")


def test_the_list_says_how_many_it_has(judged: dict[str, int], as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from regulars.console.customers import lists

    client = as_role("marketer")
    assert "<p>1 customer</p>" in client.get("/customers?stage=lost").content.decode()
    monkeypatch.setattr(lists, "SIZE", 2)
    assert "<p>3 customers</p>" in client.get("/customers").content.decode()


def test_a_note_or_tag_that_cant_be_written_is_told_on_the_list(judged: dict[str, int], as_role: Any) -> None:
    client = as_role("marketer")
    chosen = {"ids": [judged["rain"]], "next": "/customers?stage=active"}
    for path, said in (("notes", "Write 1 to 5,000 characters."), ("tag", "A tag has 1 to 50 characters.")):
        answer = client.post(f"/customers/{path}", chosen | {"text": " ", "tag": " "}, follow=True)
        assert answer.redirect_chain == [("/customers?stage=active", 302)]
        assert said in answer.content.decode()


def test_pages_follow_each_other_by_key(judged: dict[str, int], as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from regulars.console.customers import lists

    monkeypatch.setattr(lists, "SIZE", 2)
    client = as_role("marketer")
    first = client.get("/customers").content.decode()
    assert _listed(first) == ["ming", "rain"]
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = client.get("/customers" + following).content.decode()
    assert _listed(second) == ["eve"]
    assert 'rel="next"' not in second
    assert client.get("/customers?after=damaged").status_code == 422


def test_many_are_tagged_at_once_filtered_by_it_and_it_is_undone(judged: dict[str, int], as_role: Any) -> None:
    client = as_role("marketer")
    page = client.post(
        "/customers/tag", {"all": "1", "query": "stage=active&stage=lost", "tag": "茶友"}, follow=True
    ).content.decode()
    assert "Tagged 2 customers." in page
    assert _listed(client.get("/customers?tag=茶友").content.decode()) == ["ming", "rain"]
    _undo(client, page)
    assert queries.tagged("茶友") == []


def test_a_view_is_saved_under_a_name_and_removed_with_undo(shop: dict[str, int], as_role: Any) -> None:
    client, colleague = as_role("marketer"), as_role("manager")
    client.post("/customers/views", {"name": "去年的老客", "query": "stage=lost", "shared": "1"})
    assert "?stage=lost" in colleague.get("/customers").content.decode()
    page = client.get("/customers").content.decode()
    remove = page.partition("/remove")[0].rpartition('action="')[2] + "/remove"
    assert colleague.post(remove).status_code == 404
    gone = client.post(remove, follow=True).content.decode()
    assert 'name="query" value="stage=lost"' in gone  # in the form that undoes it
    assert "去年的老客</a>" not in gone


@pytest.mark.parametrize(("language", "names"), [("en", ("Cantonese", "Welsh")), ("zh", ("粤语", "威尔士语"))])
def test_a_language_is_chosen_by_its_name(
    shop: dict[str, int], as_role: Any, language: str, names: tuple[str, str]
) -> None:
    client, id = as_role("agent", language), shop["rain"]
    form = _page(client, id).split('id="profile-language"')[1].split("</select>")[0]
    for tag, name in zip(("yue", "cy"), names, strict=True):
        assert form.count(f'<option value="{tag}">{name}</option>') == 1
    client.post(f"/customers/{id}/profile", {"language": "en-GB", "seen_language": ""})
    page = _page(client, id)
    said = "British English" if language == "en" else "英国英语"
    assert f'<option value="en-GB" selected>{said}</option>' in page and f"<dd>{said}</dd>" in page
    answer = client.post(f"/customers/{id}/profile", {"language": "klingon!!", "seen_language": "en-GB"})
    fault = answer.content.decode().split('id="fault-language"')[1].split("<")[0]
    assert answer.status_code == 422 and ("en-GB" in fault)
    late = client.post(f"/customers/{id}/profile", {"birthday": "2099-01-01", "seen_birthday": ""}).content.decode()
    assert 'id="fault-birthday"' in late and ("in the future" in late or "生日不能晚于今天" in late)


def test_a_view_that_takes_anothers_place_says_so_and_can_be_undone(shop: dict[str, int], as_role: Any) -> None:
    client, other = as_role("marketer"), as_role("manager")

    def saved(query: str, by: Any = client) -> str:
        return str(by.post("/customers/views", {"name": "Regulars", "query": query}, follow=True).content.decode())

    def kept() -> list[str]:
        return re.findall(r'<span class="view"><a href="\?([^"]*)"', client.get("/customers").content.decode())

    assert "Saved as “Regulars”" in saved("stage=lost")
    assert "is there already, just so" in saved("stage=lost")
    assert "Saved as “Regulars”" in saved("stage=new", by=other)  # another's is another view
    page = saved("stage=active")
    assert "This replaces your view “Regulars”" in page and kept() == ["stage=active"]
    _undo(client, page)
    assert kept() == ["stage=lost"]
    zh = as_role("marketer", "zh").post("/customers/views", {"name": "Regulars", "query": ""}, follow=True)
    assert "已替换您原有的视图“Regulars”" in zh.content.decode()


@pytest.mark.parametrize(
    ("query", "language", "said"),
    [
        ("orders_min=-5", "en", {"orders": "Give a whole number, 0 or more."}),
        ("chance_max=500&net_min=x", "zh", {"chance": "请填写 0 到 100 之间的百分比。",
                                            "net": "请填写金额，例如 1200 或 99.50。"}),
        ("value_min=-1&recency_min=9&recency_max=1", "en", {"value": "Give an amount of 0 or more.",
                                                            "recency": "This ends before it begins: swap the two."}),
    ],
)  # fmt: skip
def test_a_range_that_cant_be_is_a_fault_at_its_field(
    people: dict[str, Any], home: Any, as_role: Any, query: str, language: str, said: dict[str, str]
) -> None:
    page = as_role("marketer", language).get(f"/customers?{query}").content.decode()
    assert dict(re.findall(r'id="fault-(\w+)">([^<]*)<', page)) == said
    for part in query.split("&"):
        name, _, typed = part.partition("=")
        field = page.split(f'name="{name}"')[1].split(">")[0]
        assert f'value="{typed}"' in field and 'aria-invalid="true"' in field


def test_an_export_holds_the_list_with_identities_and_no_formulas(
    judged: dict[str, int], as_role: Any, actors: dict[str, Any]
) -> None:
    from regulars.jobs import running
    from regulars.jobs.models import Job
    from regulars.wiring.jobs import KINDS

    client = as_role("marketer")
    job = client.post("/customers/export", {"query": "stage=active&stage=new"})["Location"].rpartition("/")[2]
    running.kinds(KINDS)
    running.run(job)
    assert Job.objects.get(id=job).state == "done", Job.objects.get(id=job).error
    assert all("2 customers" in client.get(page).content.decode() for page in ("/jobs", f"/jobs/{job}"))
    body = b"".join(client.get(f"/customers/exports/{job}").streaming_content)
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    head, *people = rows
    assert [row[head.index("Name")] for row in people] == ["王小雨", "'=Eve"]
    assert people[0][head.index("Phone")] == "+8613800000001"  # a number, and of use to whoever reads the file
    assert people[0][head.index("Net spend")] == "600.00"
    assert as_role("manager").get(f"/customers/exports/{job}").status_code == 200
    assert as_role("agent").get(f"/customers/exports/{job}").status_code == 403


def test_the_page_says_worth_stage_and_why_somebody_is_about_to_leave(judged: dict[str, int], as_role: Any) -> None:
    page = as_role("agent").get(f"/customers/{judged['ming']}").content.decode()
    assert "¥1,200.00" in page
    assert "138****0002" in page
    assert "13800000002" not in page
    assert "Order Completed" not in page.partition('<ol class="timeline">')[0]
    assert page.count('class="event ') + page.count('class="event"') == 15 + 1  # orders, and that he was identified


def test_the_timeline_is_filtered_and_goes_on_by_key(shop: dict[str, int], as_role: Any, monkeypatch: Any) -> None:
    from regulars.console.customers import page as customer_page

    monkeypatch.setattr(customer_page, "SIZE", 10)
    client = as_role("agent")
    htmx = {"HX-Request": "true"}
    first = client.get(f"/customers/{shop['ming']}/timeline?kind=orders", headers=htmx).content.decode()
    assert first.count('<li class="event') == 10
    following = first.partition("after=")[2].partition('"')[0]
    second = client.get(f"/customers/{shop['ming']}/timeline?kind=orders&after={following}", headers=htmx)
    assert second.content.decode().count('<li class="event') == 5


def test_an_identity_in_full_is_noted_in_the_audit_trail(shop: dict[str, int], as_role: Any) -> None:
    from regulars.accounts.queries import audit

    phone = next(row for row in queries.identities(shop["eve"]) if row.kind == "phone")
    address = f"/customers/{shop['eve']}/identity"
    assert as_role("store").post(address, {"identity": phone.id}).status_code == 403
    shown = as_role("agent").post(address, {"identity": phone.id}).content.decode()
    assert "+8613800000003" in shown
    assert audit(limit=1)[0].action == "Identity Shown"
    assert as_role("agent").post(address, {"identity": 999999}).status_code == 404


def _undo(client: Any, page: str) -> Any:
    """Press Undo on the toast of a page."""
    form = page.partition("data-toast>")[2].partition('<form method="post" action="')[2].partition("</form>")[0]
    fields = {
        part.partition('"')[0]: part.partition('value="')[2].partition('"')[0] for part in form.split('name="')[1:]
    }
    return client.post(form.partition('"')[0], fields, follow=True)


def test_tags_notes_consent_and_profile_are_changed_and_undone(shop: dict[str, int], as_role: Any) -> None:
    client, id = as_role("agent"), shop["rain"]
    page = client.post(f"/customers/{id}/tags", {"tag": "VIP"}, follow=True).content.decode()
    assert [tag.name for tag in queries.tags(id)] == ["VIP"]
    _undo(client, page)
    assert queries.tags(id) == []

    page = client.post(f"/customers/{id}/notes", {"text": "喜欢靠窗"}, follow=True).content.decode()
    assert "喜欢靠窗" in page
    _undo(client, page)
    assert queries.notes(id) == []

    wanted = {"channel": "sms", "purpose": "marketing"}
    client.post(f"/customers/{id}/consent", wanted | {"given": "1"}, follow=True)
    page = client.post(f"/customers/{id}/consent", wanted | {"given": "0"}, follow=True).content.decode()
    assert queries.consent_states(id)["sms", "marketing"].given is False
    _undo(client, page)
    assert queries.consent_states(id)["sms", "marketing"].given is True

    page = client.post(f"/customers/{id}/profile", {"name": "王晓雨", "city": "杭州"}, follow=True).content.decode()
    assert queries.get(id).fields["name"] == "王晓雨"
    _undo(client, page)
    assert queries.get(id).fields == queries.get(id).fields | {"name": "王小雨", "city": None}


def test_htmx_gets_the_part_that_changed_with_the_toast(shop: dict[str, int], as_role: Any) -> None:
    answer = as_role("agent").post(f"/customers/{shop['rain']}/tags", {"tag": "VIP"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert "<html" not in page
    assert "VIP" in page
    assert 'hx-swap-oob="beforeend:#toasts"' in page


def test_a_problem_over_htmx_is_a_toast_and_leaves_the_page_as_it_is(shop: dict[str, int], as_role: Any) -> None:
    given = {"channel": "pigeon", "purpose": "marketing", "given": "1"}
    answer = as_role("agent").post(f"/customers/{shop['rain']}/consent", given, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#toasts", "beforeend")
    assert "Choose a channel" in answer.content.decode()


@pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {}], ids=["part", "page"])
def test_a_tag_or_note_that_cant_be_taken_is_told_at_its_field_and_stays(
    shop: dict[str, int], as_role: Any, headers: dict[str, str]
) -> None:
    client, long = as_role("agent"), "x" * 5001
    for form, field, value, said in (
        ("tags", "tag", "x" * 51, "A tag has 1 to 50 characters."),
        ("notes", "text", " ", "Write 1 to 5,000 characters."),
        ("notes", "text", long, "Write 1 to 5,000 characters."),
    ):
        answer = client.post(f"/customers/{shop['rain']}/{form}", {field: value}, headers=headers)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert f'id="fault-{field}" role="alert">{said}' in page
        assert value in page and f'aria-describedby="fault-{field}"' in page
        assert not answer.has_header("HX-Retarget")
    empty = client.post(f"/customers/{shop['rain']}/identities", {"kind": "phone", "value": " "})
    assert 'id="fault-value" role="alert">Type a value.' in empty.content.decode()


def test_a_long_note_is_folded(shop: dict[str, int], as_role: Any) -> None:
    client, id = as_role("agent"), shop["rain"]
    for text in ("short", "y" * 5000, "\n".join("abcdefgh")):
        client.post(f"/customers/{id}/notes", {"text": text})
    page = client.get(f"/customers/{id}").content.decode()
    heads = re.findall(r'<summary><span class="note-text">(.*?)…</span>', page, re.S)
    assert heads == ["a<br>b<br>c<br>d<br>e<br>f", "y" * 280]
    assert "y" * 5000 in page


def test_a_bad_birthday_is_told_at_its_field_and_what_was_typed_stays(shop: dict[str, int], as_role: Any) -> None:
    answer = as_role("agent").post(f"/customers/{shop['rain']}/profile", {"name": "王大雨", "birthday": "the 31st"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="fault-birthday"' in page
    assert 'value="王大雨"' in page and 'value="the 31st"' in page
    assert queries.get(shop["rain"]).fields["name"] == "王小雨"


def test_an_identity_of_somebody_else_is_refused_with_the_reason(shop: dict[str, int], as_role: Any) -> None:
    answer = as_role("agent").post(f"/customers/{shop['rain']}/identities", {"kind": "phone", "value": "138 0000 0002"})
    assert answer.status_code == 422
    assert "Another customer has this already" in answer.content.decode()


def test_two_are_merged_after_a_preview_and_taken_apart_again(judged: dict[str, int], as_role: Any) -> None:
    client, rain, ming = as_role("agent"), judged["rain"], judged["ming"]
    found = client.get(f"/customers/{rain}/merge?q=13800000002").content.decode()
    assert f"?with={ming}" in found
    for n in range(6):
        client.post(f"/customers/{ming}/identities", {"kind": "member_card", "value": f"CARD-77{n}"})
    client.post(f"/customers/{ming}/consent", {"channel": "sms", "purpose": "survey", "given": "1"})
    preview = client.get(f"/customers/{rain}/merge?with={ming}").content.decode()
    assert "¥600.00" in preview and "¥1,200.00" in preview
    assert "<summary>2 more</summary>" in preview  # of eight identities
    assert "Along comes every event and order; identities: 8, consents: 1." in preview  # and no notes, no tags
    assert "SMS · Surveys" in preview and f"only #{ming} says anything" in preview
    page = client.post(f"/customers/{rain}/merge", {"with": ming, "keep": ["name"]}, follow=True).content.decode()
    assert queries.root_of(ming) == rain
    assert queries.get(rain).fields["name"] == "李明"
    assert client.get(f"/customers/{ming}")["Location"] == f"/customers/{rain}"
    apart = _undo(client, page)
    assert apart.redirect_chain == [(f"/customers/{rain}", 302)]  # where one was, not the other
    assert queries.root_of(ming) == ming
    assert [queries.get(id).fields["name"] for id in (rain, ming)] == ["王小雨", "李明"]


def test_a_merge_with_oneself_is_refused(shop: dict[str, int], as_role: Any) -> None:
    answer = as_role("agent").get(f"/customers/{shop['rain']}/merge?with={shop['rain']}")
    assert answer.status_code == 409
    assert "These are one customer already." in answer.content.decode()


def test_who_erases_is_told_which_figures_stay_and_which_lists_lose_the_person(
    judged: dict[str, int], as_role: Any
) -> None:
    said = {
        "en-US": "Sales, RFM, stages and cohorts stay to the digit. Lists of people to turn to (at risk, next steps) and",
        "zh-CN": "销售、RFM、生命周期阶段和同期群的数字分毫不变；需要联系的客户名单（流失风险、下一步建议）及其合计不再包含此人。",
    }
    id = judged["eve"]
    for language, text in said.items():
        assert text in as_role("manager", language).get(f"/customers/{id}").content.decode()
    as_role("manager").post(f"/customers/{id}/erase", {"confirm": str(id)})
    for language, text in said.items():
        assert text in as_role("manager", language).get(f"/customers/{id}/erasure").content.decode()


def test_a_person_is_erased_only_with_their_number_typed(judged: dict[str, int], as_role: Any) -> None:
    client, id = as_role("manager"), judged["eve"]
    refused = client.post(f"/customers/{id}/erase", {"confirm": "yes"})
    assert refused.status_code == 422
    assert 'id="fault-confirm"' in refused.content.decode()
    client.post(f"/customers/{id}/consent", {"channel": "sms", "purpose": "marketing", "given": "1"})
    done = client.post(f"/customers/{id}/erase", {"confirm": str(id)})
    assert done["Location"] == f"/customers/{id}/erasure"
    receipt = client.get(done["Location"]).content.decode()
    assert "Receipt of an erasure" in receipt and "Gone by" in receipt
    assert f'href="{done["Location"]}"' in client.get("/audit").content.decode()
    assert client.get(f"/customers/{judged['rain']}/erasure").status_code == 404
    page = client.get(f"/customers/{id}").content.decode()
    assert "This person was erased on" in page
    assert "=Eve" not in page and "e***@" not in page
    assert "¥30.00" in page  # the figures stay
    assert f'href="{done["Location"]}"' in page and "SMS · Marketing" in page
    for deed in ("tags", "notes", "consent", "profile", "identities", "merge"):
        assert f"/customers/{id}/{deed}" not in page
    assert "consent-given" not in page and "undo" not in page
    for deed, given in (("notes", {"text": "x"}), ("tags", {"tag": "new"})):
        assert client.post(f"/customers/{id}/{deed}", given).status_code == 409
    assert queries.tag_names() == []


def test_a_person_gets_everything_kept_about_them(shop: dict[str, int], as_role: Any) -> None:
    answer = as_role("manager").post(f"/customers/{shop['rain']}/export")
    files = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert files == ["README.txt", "profile.json", "events.json"]


def test_many_get_a_note_at_once_and_it_is_undone_and_redone(judged: dict[str, int], as_role: Any) -> None:
    client = as_role("store")
    assert 'formaction="/customers/notes"' in client.get("/customers").content.decode()

    def noted() -> list[str]:
        return [who for who in ("rain", "ming", "eve") if any(n.text == "喜欢乌龙" for n in queries.notes(judged[who]))]

    chosen = {"ids": [str(judged["rain"]), str(judged["eve"])], "tag": "", "text": "喜欢乌龙"}
    page = client.post("/customers/notes", chosen, follow=True).content.decode()
    assert "Wrote the note about 2 customers." in page and noted() == ["rain", "eve"]
    page = _undo(client, page).content.decode()
    assert noted() == []
    _undo(client, page)
    assert noted() == ["rain", "eve"]
    assert as_role("analyst").post("/customers/notes", chosen).status_code == 403


def test_somebody_new_needs_an_identity_nobody_else_has(shop: dict[str, int], as_role: Any) -> None:
    client = as_role("agent")
    assert client.post("/customers/add", {"name": "赵六"}).status_code == 422
    taken = client.post("/customers/add", {"name": "赵六", "phone": "13800000001"})
    assert taken.status_code == 409
    assert 'id="fault-phone"' in taken.content.decode() and 'value="赵六"' in taken.content.decode()
    made = client.post("/customers/add", {"name": "赵六", "phone": "13800000009", "city": "苏州"})
    id = int(made["Location"].rpartition("/")[2])
    assert queries.get(id).fields["city"] == "苏州"


MAY = {
    "tags": ({"tag": "x"}, {"admin", "manager", "marketer", "agent", "store"}),
    "notes": ({"text": "x"}, {"admin", "manager", "marketer", "agent", "store"}),
    "consent": (
        {"channel": "sms", "purpose": "survey", "given": "1"},
        {"admin", "manager", "marketer", "agent", "store"},
    ),
    "profile": ({"city": "x"}, {"admin", "manager", "marketer", "agent"}),
    "merge": ({}, {"admin", "manager", "agent"}),
    "erase": ({"confirm": ""}, {"admin", "manager"}),
    "export": ({}, {"admin", "manager", "marketer"}),
}


def test_each_role_does_what_it_may_and_is_refused_the_rest(shop: dict[str, int], people: Any, as_role: Any) -> None:
    for deed, (given, allowed) in MAY.items():
        for role in people:
            status = as_role(role).post(f"/customers/{shop['rain']}/{deed}", given).status_code
            assert (status == 403) == (role not in allowed), (deed, role, status)


def test_search_finds_customers_by_any_identity(shop: dict[str, int], as_role: Any) -> None:
    client = as_role("store")
    for wanted in ("13800000002", "MING@example.com", "李明", f"#{shop['ming']}"):
        assert f'href="/customers/{shop["ming"]}"' in client.get("/search", {"q": wanted}).content.decode(), wanted


def test_who_came_once_has_no_rhythm_and_no_chance_of_their_own(judged: dict[str, int], as_role: Any) -> None:
    once = as_role("agent").get(f"/customers/{judged['eve']}").content.decode()
    assert "Others come every" in once and "be said yet" in once
    often = as_role("agent").get(f"/customers/{judged['rain']}").content.decode()
    assert "Comes every" in often and "be said yet" in often  # three buyers are too few for the model


def test_the_list_is_narrowed_by_mood_and_taste(judged: dict[str, int], as_role: Any) -> None:
    from regulars.eventlog.services import NewEvent, append
    from regulars.warehouse import refresh

    now = clock.now()
    append([NewEvent("c1", "Complaint Filed", judged["ming"], now, now, {"category": "price"}, {}, "track:1")])
    refresh.bring_up()
    client = as_role("marketer", "zh")
    found = client.get("/customers?mood=unhappy&mood=nonsense").content.decode()
    assert "李明" in found and "王小雨" not in found and "情绪：不满" in found
    assert "李明" not in client.get("/customers?mood=happy").content.decode()
    dear = client.get("/customers?taste=quality").content.decode()  # ¥80 a time, nothing off, the dearest of all
    assert "李明" in dear and "王小雨" not in dear
    assert "偏好：品质导向" in dear


def test_what_was_done_with_thousands_is_undone_for_exactly_these(shop: dict[str, int], as_role: Any) -> None:
    from regulars.customers.services import Claim, resolve

    made = resolve([Claim((("user_id", f"many{n}"),), {}, clock.now()) for n in range(5_100)])
    client = as_role("marketer")
    ids = ",".join(map(str, made))
    said = client.post("/customers/tag", {"ids": ids, "tag": "VIP", "next": "/customers"}, follow=True).content.decode()
    assert "Tagged 5,100 customers." in said
    assert "The tag is off 5,100 customers again." in _undo(client, said).content.decode()
    assert queries.tagged("VIP") == []
    client.post("/customers/tag", {"ids": ids, "tag": "VIP"}, follow=True)
    said = client.post("/customers/untag", {"ids": ids, "tag": "VIP", "next": "/customers"}, follow=True)
    page = said.content.decode()
    assert "Took the tag off 5,100 customers." in page
    assert queries.tagged("VIP") == []
    assert "The tag is back on 5,100 customers." in _undo(client, page).content.decode()
    assert queries.tagged("VIP") == made


def _page(client: Any, id: int, query: str = "") -> str:
    return str(client.get(f"/customers/{id}{query}").content.decode())


def test_what_was_done_can_be_undone_after_the_toast_is_gone(shop: dict[str, int], as_role: Any) -> None:
    client, id = as_role("agent"), shop["rain"]
    client.post(f"/customers/{id}/profile", {"city": "杭州", "gender": "female"})
    client.post(f"/customers/{id}/consent", {"channel": "sms", "purpose": "marketing", "given": "1"})
    client.post(f"/customers/{id}/notes", {"text": "喜欢靠窗"})
    client.post(f"/customers/notes/{queries.notes(id)[0].id}/delete")
    _page(client, id)  # the toasts are shown once
    page = _page(client, id)
    assert "City: — → 杭州" in page and "Gender: — → Female" in page
    doors = re.findall(r'action="(/customers/(?:changes|consent|notes)/\d+/(?:undo|restore))"', page)
    assert len(doors) == 3
    for door in doors:
        said = client.post(door, {"next": f"/customers/{id}"}, follow=True).content.decode()
    assert [row.text for row in queries.notes(id)] == ["喜欢靠窗"]
    assert queries.consent_states(id) == {} and queries.get(id).fields["city"] is None
    assert "/undo" not in said.partition('class="customer"')[2]  # each once
    reader = _page(as_role("analyst"), id)
    assert "City: — → 杭州" in reader and "/undo" not in reader


def test_who_entered_a_consent_and_where_it_came_from_both_stand_there(shop: dict[str, int], as_role: Any) -> None:
    from regulars.accounts.queries import staff

    client, id = as_role("agent"), shop["rain"]
    client.post(f"/customers/{id}/consent", {"channel": "sms", "purpose": "marketing", "given": "1"})
    name = next(person.name for person in staff() if person.role == "agent")
    assert f"{name} · in the console" in _page(client, id)
    assert f"{name} · 控制台登记" in _page(as_role("agent", "zh-Hans"), id)


def test_an_identity_added_by_mistake_is_removed_and_put_back(shop: dict[str, int], as_role: Any) -> None:
    client, id = as_role("agent"), shop["rain"]
    given = {"kind": "member_card", "value": "R 100"}
    page = client.post(f"/customers/{id}/identities", given, follow=True).content.decode()
    before = queries.identities(id)
    page = _undo(client, page).content.decode()
    assert "Member card removed." in page and "member_card" not in [row.kind for row in queries.identities(id)]
    _undo(client, page)
    assert queries.identities(id) == before
    door = re.findall(r'action="(/customers/identities/\d+/remove)"', _page(client, id))
    assert len(door) == 1  # those that came with events have none
    client.post(door[0])
    door = re.findall(r'action="(/customers/identities/\w+/restore)"', _page(client, id))
    client.post(door[0])
    assert queries.identities(id) == before
    (first, *_) = [row for row in before if not row.removable]
    said = client.post(f"/customers/identities/{first.id}/remove", follow=True).content.decode()
    assert "came with events" in said and queries.identities(id) == before
    assert as_role("store").post(f"/customers/identities/{first.id}/remove").status_code == 403


def test_everything_on_the_page_can_be_reached(shop: dict[str, int], as_role: Any, monkeypatch: Any) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.console.customers import parts
    from regulars.customers.services import add_identity, add_note, give_consent, update_profile, withdraw_consent

    client, id = as_role("agent"), shop["rain"]
    for name in ("NOTES", "CHANGES", "CONSENTS", "IDENTITIES"):
        monkeypatch.setattr(parts, name, 2)
    for n in range(5):
        add_note(customer_id=id, text=f"note {n}.", by=SYSTEM)
        update_profile(customer_id=id, fields={"city": f"city {n}."}, by=SYSTEM)
        add_identity(customer_id=id, kind="email", value=f"{n}th@example.com", by=SYSTEM)
        (withdraw_consent if n % 2 else give_consent)(
            customer_id=id,
            channel="sms",
            purpose="survey",
            by=SYSTEM,
            source=f"form {n}.",
            at=clock.now() - timedelta(days=9 - n),
        )
    page = _page(client, id)
    wanted = {"notes": r"note \d\.<", "changes": r"→ city \d\.<", "consent": r"form \d\.<", "identities": r"\d\*\*\*@"}
    for part, told in wanted.items():
        found, address = re.findall(told, page), f"/customers/{id}/more/{part}?after="
        shown = page
        while address in shown:
            after = shown.partition(address)[2].partition('"')[0]
            shown = client.get(address + after).content.decode()
            assert "<html" not in shown
            found += re.findall(told, shown)
        assert len(found) == len(set(found)) == 5, part
    assert client.get(f"/customers/{id}/more/orders").status_code == 404


def test_the_kind_of_event_chosen_is_in_the_address(shop: dict[str, int], as_role: Any) -> None:
    client, id = as_role("agent"), shop["rain"]
    htmx = {"HX-Request": "true"}
    chosen = client.get(f"/customers/{id}/timeline?kind=orders", headers=htmx)
    assert chosen["HX-Push-Url"] == f"/customers/{id}?kind=orders"
    assert '<option value="orders" selected>' in _page(client, id, "?kind=orders")
    assert client.get(f"/customers/{id}/timeline?kind=", headers=htmx)["HX-Push-Url"] == f"/customers/{id}"
    assert client.get(f"/customers/{id}/timeline", headers=htmx)["HX-Replace-Url"] == f"/customers/{id}"


@pytest.mark.django_db
def test_a_chance_is_said_in_percent_and_asked_of_the_warehouse_as_a_share() -> None:
    from django.http import QueryDict

    from regulars.console.customers.filters import asked

    found = asked(QueryDict("chance_min=50&orders_min=2"))
    assert found.filters().ranges == {"p_alive": (0.5, None), "orders": (2, None)}
    assert [chip.url for chip in found.chips] == ["?chance_min=50", "?orders_min=2"]
    assert "50%" in found.chips[1].text


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Agent made this “苏州” meanwhile"), ("zh-Hans", "Agent 已将此项改为“苏州”")],
)
def test_whoever_saves_later_sees_both_values_and_keeps_what_only_the_other_changed(
    shop: dict[str, int], as_role: Any, language: str, said: str
) -> None:
    id = shop["rain"]
    first, second = as_role("agent"), as_role("manager", language)
    seen = {f"seen_{name}": "王小雨" if name == "name" else "" for name in ("name", "city", "birthday", "language")}
    blank = {name.removeprefix("seen_"): value for name, value in seen.items()}
    first.post(f"/customers/{id}/profile", seen | blank | {"city": "苏州", "birthday": "1990-05-31"})
    answer = second.post(f"/customers/{id}/profile", seen | blank | {"city": "杭州", "name": "小雨"})
    page = answer.content.decode()
    assert answer.status_code == 409 and said in page
    typed = dict(re.findall(r'id="profile-\w+" name="(\w+)" value="([^"]*)"', page))
    assert typed == {"name": "小雨", "birthday": "1990-05-31", "city": "杭州"}
    now = dict(re.findall(r'name="seen_(\w+)" value="([^"]*)"', page))
    assert (now["city"], now["birthday"], now["name"]) == ("苏州", "1990-05-31", "王小雨")
    again = {f"seen_{name}": value for name, value in now.items()} | typed
    assert second.post(f"/customers/{id}/profile", again).status_code == 302
    kept = queries.get(id).fields
    assert (kept["name"], kept["city"], str(kept["birthday"])) == ("小雨", "杭州", "1990-05-31")
    assert "31 May 1990" in first.get(f"/customers/{id}").content.decode()  # in the changes, too


def test_the_file_of_an_exported_person_is_named_after_the_day_in_the_shop(as_role: Any, shop: dict[str, int]) -> None:
    with clock.frozen(datetime(2026, 6, 30, 20, tzinfo=UTC)):  # in China the next day has begun
        answer = as_role("admin").post(f"/customers/{shop['rain']}/export")
    assert answer["Content-Disposition"] == f'attachment; filename="customer-{shop["rain"]}-20260701.zip"'
