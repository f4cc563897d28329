"""A customer's page between something that happened and the figures that know it."""

import re
from typing import Any

from django.test import Client

from regulars.accounts.actors import SYSTEM
from regulars.customers import services
from regulars.eventlog import dispatch
from regulars.warehouse import feed, refresh

COMPUTING = "Being computed: what just happened isn't in these figures yet."
HTMX = {"HX-Request": "true"}


def _page(client: Client, id: int) -> tuple[str, str | None]:
    """The page, and where it asks for newer figures."""
    said = client.get(f"/customers/{id}").content.decode().replace("&#x27;", "'")
    asks = re.search(r'id="figures" hx-get="([^"]+)"', said)
    assert (asks is not None) == (COMPUTING in said)
    return said, asks and asks[1]


def test_after_a_merge_the_page_says_that_figures_are_being_computed_until_they_are_there(
    judged: dict[str, int], as_role: Any
) -> None:
    rain, ming = judged["rain"], judged["ming"]
    agent: Client = as_role("agent")
    said, asks = _page(agent, rain)
    assert "¥600.00" in said and asks is None
    services.merge(source=ming, target=rain, by=SYSTEM)
    dispatch.number()
    for step in (lambda: None, feed.catch_up):  # not in the warehouse yet; there, but not judged
        step()
        said, asks = _page(agent, rain)
        assert "¥600.00" in said and asks is not None
        assert agent.get(asks, headers=HTMX).status_code == 204
    refresh.live()
    answer = agent.get(asks, headers=HTMX)
    came = answer.content.decode()
    assert answer.status_code == 200 and "¥1,800.00" in came and "hx-get" not in came and 'role="status"></p>' in came
    assert '<p id="standing" hx-swap-oob="true">' in came
    said, asks = _page(agent, rain)
    assert "¥1,800.00" in said and asks is None


def test_after_a_merge_is_undone_both_customers_figures_are_being_computed(
    judged: dict[str, int], as_role: Any
) -> None:
    rain, ming = judged["rain"], judged["ming"]
    agent: Client = as_role("agent")
    merge = services.merge(source=ming, target=rain, by=SYSTEM)
    refresh.bring_up()
    services.unmerge(merge_id=merge, by=SYSTEM)
    dispatch.number()
    for step in (lambda: None, feed.catch_up):
        step()
        assert all(_page(agent, id)[1] for id in (rain, ming))
    refresh.live()
    assert [_page(agent, id)[1] for id in (rain, ming)] == [None, None]
    assert _page(agent, judged["eve"])[1] is None


def test_pages_say_when_everybody_was_judged_and_that_figures_follow_live(judged: dict[str, int], as_role: Any) -> None:
    for language, words in (("en", "; figures follow live"), ("zh-CN", "；此后的数字随事件实时更新")):
        client: Client = as_role("admin", language)
        for place in ("/overview", "/insights/rfm", "/insights/sales"):
            assert words in client.get(place).content.decode(), place
