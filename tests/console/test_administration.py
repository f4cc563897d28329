"""Settings, staff, keys, the audit trail and jobs in the console: what they show, refuse and keep."""

import re
from typing import Any

import pytest
from django.test import Client

from regulars.accounts import queries
from regulars.accounts.models import AuditEntry
from regulars.catalog import CATALOG


@pytest.fixture
def admin(people: dict[str, Any]) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["admin"])
    return client


ADMINISTRATION = {
    "/settings": {"admin"},
    "/staff": {"admin"},
    "/keys": {"admin"},
    "/audit": {"admin", "manager"},
    "/jobs": {"admin", "manager", "marketer", "agent", "store", "analyst"},
}
LISTED = ADMINISTRATION | {"/jobs": {"admin", "manager", "marketer"}}  # the others start none


@pytest.mark.parametrize("address", ADMINISTRATION)
def test_each_role_opens_what_it_may_and_is_told_where_it_may_not(people: dict[str, Any], address: str) -> None:
    for role, person in people.items():
        client = Client(headers={"Accept-Language": "en"})
        client.force_login(person)
        answer = client.get(address)
        assert answer.status_code == (200 if role in ADMINISTRATION[address] else 403), (role, address)
        shown = f'href="{address}"' in client.get("/me").content.decode()
        assert shown == (role in LISTED[address]), (role, address)
        if answer.status_code == 403:
            assert "Your role doesn&#x27;t allow this" in answer.content.decode()


def _settings(**changes: str) -> dict[str, str]:
    from regulars.console.settings.form import filled

    given = {name: str(value) for name, value in filled(queries.business(), _cutoffs()).items()}
    return given | changes


def _cutoffs() -> Any:
    from regulars.analytics.cutoffs import Cutoffs

    return Cutoffs.from_json(queries.business().more.get("cutoffs") or {})


def test_settings_are_kept_as_typed_and_money_in_minor_units(admin: Client) -> None:
    answer = admin.post(
        "/settings",
        _settings(
            name="Tea & Co",
            zone="Europe/Berlin",
            currency="eur",
            rfm="fixed",
            rfm_net_0="99.50",
            churn_silent_days="60",
            group_loyal_zh="老朋友",
        ),
    )
    assert answer.status_code == 302
    business, cutoffs = queries.business(), _cutoffs()
    assert (business.name, business.zone, business.currency) == ("Tea & Co", "Europe/Berlin", "EUR")
    assert (cutoffs.rfm, cutoffs.rfm_net[0], cutoffs.churn_silent_days) == ("fixed", 9950, 60)
    assert cutoffs.names == (("loyal", "Loyal", "老朋友"),)
    assert "currency_corrections" not in business.more  # past amounts keep theirs
    assert admin.post("/settings", _settings(currency="USD", currency_was_wrong="1")).status_code == 302
    (correction,) = queries.business().more["currency_corrections"]
    assert (correction["from"], correction["to"]) == ("EUR", "USD")


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("zone", "Mars/Olympus", "zone"),
        ("currency", "ZZZ", "currency"),
        ("churn_silent_days", "soon", "churn_silent_days"),
        ("rfm_recency_3", "1", "rfm_recency"),
        ("name", " ", "name"),
    ],
)
def test_a_wrong_setting_is_told_at_its_field_and_nothing_typed_is_lost(
    admin: Client, field: str, value: str, at: str
) -> None:
    answer = admin.post("/settings", _settings(**{"churn_window_days": "77", field: value}))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="fault-{at}"' in page
    assert 'value="77"' in page
    assert queries.business().version == 0


def test_a_changed_role_can_be_undone_and_the_last_admin_stays(admin: Client, people: dict[str, Any]) -> None:
    agent, me = people["agent"], people["admin"]
    done = admin.post(f"/staff/{agent.pk}", {"role": "analyst", "was_role": "agent"}, follow=True).content.decode()
    assert "Agent is Analyst now." in done
    assert 'name="role" value="agent"' in done
    refused = admin.post(f"/staff/{me.pk}", {"role": "agent", "was_role": "admin"})
    assert refused.status_code == 409
    told = refused.content.decode()
    [form] = [part for part in told.split("<form") if f'id="role-{me.pk}"' in part.split("</form>")[0]]
    assert 'aria-describedby="fault-role"' in form and "Somebody has to stay an admin" in form.split("</form>")[0]
    assert "data-open-now" not in told
    refused = admin.post(f"/staff/{me.pk}", {"active": "0", "was_active": "1"})
    assert "Somebody has to stay an admin" in refused.content.decode().split('id="fault-active"')[1]
    short = admin.post(f"/staff/{agent.pk}/password", {"password": "tea"})
    assert short.status_code == 422
    dialog = short.content.decode().split("data-open-now>")[1].split("</dialog>")[0]
    assert "New password for Agent" in dialog and 'id="fault-password"' in dialog
    assert admin.post("/staff/999999", {"role": "agent"}).status_code == 404


def test_the_secret_of_an_api_key_is_shown_once(admin: Client) -> None:
    first = admin.post("/keys/api", {"name": "till", "scopes": ["customers.view"]})
    page = first.content.decode()
    secret = page.partition('id="secret">')[2].partition("<")[0]
    key = queries.api_key(secret)
    assert key is not None and key.scopes == ["customers.view"]
    assert first["Cache-Control"].startswith("max-age=0")
    assert secret not in admin.get("/keys").content.decode()


def test_an_api_key_without_scopes_is_refused_with_what_was_typed(admin: Client) -> None:
    answer = admin.post("/keys/api", {"name": "till"})
    assert answer.status_code == 422
    assert 'value="till"' in answer.content.decode()
    assert 'id="fault-scopes"' in answer.content.decode()


def test_the_audit_trail_pages_by_key_and_narrows(admin: Client, people: dict[str, Any]) -> None:
    AuditEntry.objects.bulk_create(AuditEntry(actor="system", action="Password Set") for _ in range(60))
    first = admin.get("/audit?action=Password+Set").content.decode()
    assert first.count("<tr>") == 51  # 50 and the head
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = admin.get("/audit" + following).content.decode()
    assert second.count("<tr>") == 11
    assert 'rel="next"' not in second


def test_deeds_at_customers_can_be_chosen_in_the_audit_trail(admin: Client, people: dict[str, Any]) -> None:
    from regulars.console.audit.words import DEEDS

    shown = admin.get("/audit").content.decode()
    assert [deed for deed in DEEDS if f'value="{deed}"' not in shown] == []
    assert {"Customers Merged", "Customer Erased", "Consent Withdrawn"} <= set(DEEDS) <= set(CATALOG)


def test_the_audit_trail_leads_only_where_its_reader_may_go(admin: Client, people: dict[str, Any]) -> None:
    AuditEntry.objects.create(actor="system", action="Staff Added", object_kind="staff", object_id="1")
    AuditEntry.objects.create(actor="system", action="Job Cancelled", object_kind="job", object_id="7")
    cell = '<td class="text-nowrap all"><a href="{}">'
    trail = admin.get("/audit").content.decode()
    assert cell.format("/staff") in trail and cell.format("/jobs/7") in trail
    admin.force_login(people["manager"])
    trail = admin.get("/audit").content.decode()
    assert cell.format("/staff") not in trail and cell.format("/jobs/7") in trail


def test_one_sees_ones_own_jobs_and_only_who_may_everybodys(admin: Client, actors: dict[str, Any]) -> None:
    from regulars.jobs.services import start
    from regulars.kernel.languages import Text

    job = start("nothing", by=actors["marketer"], arguments={}, title=Text("Count the leaves", "数茶叶"))
    assert "Count the leaves" not in admin.get("/jobs").content.decode()
    assert "Count the leaves" in admin.get("/jobs?of=everybody").content.decode()
    assert admin.get(f"/jobs/{job.pk}").status_code == 200
    assert admin.post(f"/jobs/{job.pk}/cancel").status_code == 302
    assert "Cancelled" in admin.get(f"/jobs/{job.pk}").content.decode()


@pytest.mark.usefixtures("home")
def test_search_finds_pages_in_both_languages(admin: Client) -> None:
    for wanted in ("audit", "审计"):
        assert 'href="/audit"' in admin.get("/search", {"q": wanted}).content.decode()
    assert "Nothing found for “&lt;b&gt;”." in admin.get("/search", {"q": "<b>"}).content.decode()


def test_every_action_of_the_audit_trail_is_said_in_words() -> None:
    import re
    from pathlib import Path

    import regulars
    from regulars import catalog
    from regulars.console.audit.words import ACTIONS

    source = "".join(path.read_text() for path in Path(regulars.__path__[0]).rglob("services*/**/*.py"))
    source += "".join(path.read_text() for path in Path(regulars.__path__[0]).rglob("services.py"))
    used = set(re.findall(r'action="([^"{]+)"', source))
    assert used >= {"Staff Added", "Note Added"}
    assert used <= ACTIONS.keys() | catalog.CATALOG.keys()


def test_every_page_of_the_navigation_is_there_for_who_may_see_it(people: dict[str, Any]) -> None:
    from regulars.accounts.queries import actor_of
    from regulars.console import navigation

    every = [entry for section in navigation.SECTIONS for entry in section.entries]
    assert navigation.entries_for(actor_of(people["admin"])) == every


def test_figures_are_computed_anew_by_a_job(people: dict[str, Any]) -> None:
    from regulars.jobs.models import Job

    client = Client()
    client.force_login(people["manager"])
    assert client.post("/settings/refresh").status_code == 403
    client.force_login(people["admin"])
    assert client.get("/settings/refresh").status_code == 405
    assert client.post("/settings/refresh")["Location"] == "/jobs"
    assert [job.kind for job in Job.objects.all()] == ["warehouse.refresh"]


FORMS = [
    ("/staff", {"name": "", "email": "nobody@", "role": "king", "password": "short"},
     ["name", "email", "role", "password"]),
    ("/keys/api", {"name": ""}, ["name", "scopes"]),
    ("/me", {"present": "not it", "password": "short"}, ["present", "password"]),
    ("/webhooks/new", {"url": "ftp://x", "name": "x" * 101, "which": "some", "others": "Nothing Of The Kind"},
     ["url", "name", "events"]),
    ("/customers/add", {"name": "x" * 201, "phone": "12", "email": "nobody@", "city": "x" * 101},
     ["name", "phone", "email", "city"]),
    ("/settings", {"name": "", "zone": "Mars", "currency": "XQX", "region": "ZZZ", "gap_least": "x", "lost_percent": "0"},
     ["name", "zone", "currency", "region", "gap_least", "lost_percent", "rfm_recency_3"]),
]  # fmt: skip


def test_every_field_that_is_wrong_is_told_at_once_next_to_it(db: None, as_role: Any) -> None:
    client = as_role("admin")
    page = client.get("/settings").content.decode()
    present = dict(re.findall(r'<input [^>]*name="(\w+)" value="([^"]*)"', page)) | {"rfm_recency_3": "many"}
    for path, given, wrong in FORMS:
        page = client.post(path, (present if path == "/settings" else {}) | given).content.decode()
        assert set(re.findall(r'id="fault-(\w+)"[^>]*>(?!</)', page)) == set(wrong), path
        described = re.findall(r'aria-invalid="true" aria-describedby="fault-(\w+)[^"]*" autofocus', page)
        assert set(described) == set(wrong), path
