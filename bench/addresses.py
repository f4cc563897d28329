"""Which addresses `bench.pages` asks: every page of the console and every read of the API, each list with each of its
filters and orders, and its second page. `names` fills them with what the world has.

    {phone} is a value of that kind of identity, {busy} the customer with the longest timeline, {id} one who buys.
"""

from pathlib import Path
from typing import Any

FILTERS = (
    "stage=active", "stage=dormant&stage=lost", "group=champions", "r=5&f=1&m=3", "mood=unhappy", "taste=price",
    "store={store}", "channel={channel}", "tag={tag}", "tag={small_tag}", "first={month}", "before={since}",
    "bought_store={store}", "bought_channel={channel}", "bought_category={category}", "bought_product={product}",
    "bought_category={category}&since={since}&until={until}", "bought_store=", "since={since}&until={until}",
    "since={since}&until={until}&before={since}", "came={month}", "again=30", "again=ever", "first={month}&again=ever",
    "first={early}&came={month}", "nps=any", "nps=promoters", "nps=detractors&said_since={since}&said_until={until}",
    "nps=any&said_store={nps_store}&said_since={since}&said_until={until}", "csat=any", "csat=unsatisfied",
    "csat=satisfied&said_since={since}&said_until={until}", "lost=1", "risk=1", "risk=1&group=champions",
    "anonymous=1", "orders_min=5&net_min=1000", "net_max=50", "recency_min=30&recency_max=60", "value_min=500",
    "chance_min=50", "chance_min=10&chance_max=90", "q={name}", "q={id}", "stage=dormant&store={store}&taste=quality",
    "again=90", "again=60&stage=lost", "first={early}&again=90", "nps=detractors&stage=active", "csat=unsatisfied&risk=1",
    "bought_category={category}&stage=lost", "bought_product={product}&mood=happy", "since={year}&until={until}",
    "since={year}&until={until}&stage=active", "bought_category={category}&since={year}&until={until}",
    "tag={tag}&risk=1", "tag={tag}&channel={channel}", "came={month}&mood=unhappy", "stage=active&mood=unhappy",
)  # fmt: skip
SORTS = ("net", "-orders", "-last_day", "last_day", "-first_day", "-p_alive", "-expected_value", "silent_days")
KINDS = ("user_id", "member_card", "phone", "email", "anonymous_id")
CONSOLE = (
    "/overview", "/overview?period=28", "/overview?period=90",
    "/customers", "/customers?stage=dormant&sort=-last_day", "/customers?risk=1&group=champions&sort=-expected_value",
    *(f"/customers?{filters}" for filters in FILTERS), *(f"/customers?sort={sort}" for sort in SORTS),
    *(f"/customers?sort={sort}&stage=lost" for sort in SORTS),
    *(f"/customers?q={{{kind}}}" for kind in KINDS), *(f"/search?q={{{kind}}}" for kind in KINDS),
    "/search?q={name}", "/search?q={order}", "/search?q={store}", "/search?q=2&", "/search?q=Order", "/search",
    "/customers/shared", "/customers/add",
    *(f"/customers/{{{who}}}{part}" for who in ("id", "busy", "visitor") for part in
      ("", "/orders", "?kind=orders", "?kind=messages", "/timeline", "/more/identities", "/more/consent")),
    *(f"/customers/{{busy}}?kind={kind}" for kind in
      ("browsing", "cart", "coupons", "visits", "service", "surveys", "profile", "decisions")),
    "/insights/sales", "/insights/sales?period=28&by=product", "/insights/sales?period=365&by=category&show=buyers",
    "/insights/sales?period=all&by=channel&show=average", "/insights/sales?period=all&by=product",
    "/insights/rfm", "/insights/rfm?show=net", "/insights/lifecycle", "/insights/cohorts",
    "/insights/rhythm", "/insights/risk", "/insights/risk?lost=1", "/insights/risk?reason=silent",
    "/insights/risk?reason=spend", "/insights/risk?reason=overdue&lost=1",
    "/insights/lost", *(f"/insights/lost?hint={hint}" for hint in ("complaint", "refund", "unhappy", "none")),
    "/insights/voice",
    "/imports", "/events", "/events?name=Order+Completed", "/events?name=Complaint+Filed", "/events?name=Nobody+Knows",
    "/events?source=track:", "/events?source=import:", "/events?source=service&name=Order+Completed",
    "/events/{message}", "/events/quarantine", "/events/quarantine?state=discarded",
    "/events/quarantine?code=required&field=order_id&name=Order+Completed", "/events/catalogue",
    "/events/subscribers", "/keys", "/webhooks", "/jobs", "/jobs?of=everybody", "/jobs/{job}", "/settings", "/staff",
    "/audit", "/audit?actor=staff:2", "/audit?action=Customers+Exported", "/audit?object_kind=customer",
    "/audit?object_kind=customer&object_id={id}", "/audit?actor=staff:3&action=Identity+Shown",
    "/audit?action=Settings+Changed&actor=staff:5",
)  # fmt: skip
API = (
    "/api/v1/customers", *(f"/api/v1/customers?{given}" for given in (
        "known=true", "known=false", "q={name}", "q={phone}", "tag={tag}", "tag={small_tag}", "mood=unhappy", "mood=happy&taste=price",
        "taste=quality&tag={tag}", "taste=price&q={name}", "erased=true", "erased=include&known=true", "limit=100",
    )),
    *(f"/api/v1/customers/lookup?kind={kind}&value={{{kind}}}" for kind in KINDS),
    *(f"/api/v1/customers/{{{who}}}{part}" for who in ("id", "busy") for part in
      ("", "/events", "/events?event=Order+Completed", "/events?event=Complaint+Filed", "/orders", "/identities",
       "/consents", "/notes")),
    "/api/v1/events", "/api/v1/events?event=Complaint+Filed", "/api/v1/events?limit=100",
    "/api/v1/figures", "/api/v1/figures?days=7", "/api/v1/figures?days=30", "/api/v1/figures?days=365",
    "/api/v1/figures?days=11", "/api/v1/figures?days=300",
    "/api/v1/segments", *(f"/api/v1/segments/{key}/customers" for key in
                          ("stage:active", "stage:lost", "rfm:champions", "rfm:loyal")),
    "/api/v1/tags",
)  # fmt: skip
FOLLOWED = (
    "/customers", *(f"/customers?sort={sort}" for sort in SORTS), "/customers?stage=dormant&sort=-last_day",
    "/customers?store={store}", "/customers?nps=any", "/customers?came={month}", "/customers?bought_category={category}",
    "/customers?again=ever", "/customers?again=90&sort=-last_day", "/customers?nps=promoters&sort=-orders",
    "/customers?bought_channel={channel}&sort=p_alive", "/customers?sort=p_alive", "/customers?sort=first_day",
    "/customers?tag={tag}", "/customers?anonymous=1",
    "/customers/{busy}", "/customers/{busy}?kind=orders", "/customers/{busy}/orders",
    "/insights/risk", "/insights/lost", "/events", "/events?name=Order+Completed", "/jobs?of=everybody", "/audit",
    "/audit?actor=staff:2", "/events/quarantine?code=required&field=order_id&name=Order+Completed",
    "/api/v1/customers", "/api/v1/customers?known=true", "/api/v1/customers?mood=unhappy", "/api/v1/customers?tag={tag}",
    "/api/v1/events", "/api/v1/customers/{busy}/events", "/api/v1/segments/stage:active/customers",
)  # fmt: skip
"""The page after it is asked too."""


def names(home: Path) -> dict[str, Any]:
    """What the addresses are filled with; Django is on, over that data folder."""
    from datetime import date

    from django.utils.http import urlencode

    from regulars.customers import queries as customers
    from regulars.eventlog import queries as log
    from regulars.eventlog.models import Quarantined
    from regulars.jobs.models import Job
    from regulars.kernel import clock
    from regulars.warehouse import engine
    from regulars.warehouse import queries as warehouse

    now = warehouse.snapshot()
    sql = """SELECT customer_id FROM scores JOIN records USING (customer_id) WHERE stage = 'active' AND store IS NOT NULL
             AND orders BETWEEN 5 AND 9 AND record_id = customer_id ORDER BY 1 LIMIT 2000"""
    found = ((one, customers.identities(one)) for (one,) in now.read(sql))
    one, identities = next(pair for pair in found if {row.kind for row in pair[1]} >= set(KINDS))
    (busy,) = now.read(
        """SELECT customer_id FROM records JOIN (SELECT record_id, count(*) n FROM events GROUP BY 1) USING (record_id)
           GROUP BY 1 ORDER BY sum(n) DESC, 1 LIMIT 1"""
    )[0]
    (visitor,) = now.read("SELECT max(customer_id) FROM scores WHERE NOT known AND orders = 0")[0]
    scores = warehouse.customer.scores(now, one)
    assert scores is not None
    bought = now.read(
        "SELECT order_id, product_id, category, channel FROM lines WHERE record_id = ? AND paid LIMIT 1", [one]
    )[0]
    day = clock.day_of(now.as_of)
    before = clock.day_of(now.as_of - 28)
    given: dict[str, Any] = {
        "id": one, "busy": busy, "visitor": visitor, "store": scores.store, "channel": bought[3],
        "order": bought[0], "product": bought[1], "category": bought[2], "name": customers.by_ids([one])[one].name[:2],
        "month": f"{before:%Y-%m}", "early": f"{date(day.year - 1, day.month, 1):%Y-%m}", "since": f"{before}", "year": f"{clock.day_of(now.as_of - 365)}",
        "until": f"{clock.day_of(now.as_of - 1)}", "tag": "regular", "small_tag": "tag 7",
        "nps_store": warehouse.voice.nps_by_store(now)[0][0], "message": log.recent(limit=1)[0].message_id,
        "job": Job.objects.order_by("-id").values_list("id", flat=True).first() or "",
    }  # fmt: skip
    assert Quarantined.objects.exists()
    given |= {row.kind: row.value for row in identities}
    engine.close()
    return {key: urlencode({"": value})[1:] for key, value in given.items()}
