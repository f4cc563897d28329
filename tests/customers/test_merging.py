"""Merging by hand with a preview, and everything going back where it came from."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from regulars.customers import queries
from regulars.customers.services import (
    add_note,
    give_consent,
    merge,
    tag,
    unmerge,
    update_profile,
    withdraw_consent,
)
from regulars.eventlog.queries import recent
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Forbidden, Invalid, NotFound

Comes = Callable[..., int]


def test_the_preview_says_what_would_come_along(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    old = comes("phone=13812345678", 0, name="Wang", city="Hangzhou", birthday="1990-01-01")
    new = comes("user_id=u1", 1, name="Wang Wei", birthday="1991-01-01")
    tag(customer_ids=[old], name="VIP", by=by)
    add_note(customer_id=old, text="Likes tea", by=by)
    give_consent(customer_id=old, channel="sms", purpose="marketing", by=by)
    preview = queries.merge_preview(source=old, target=new)
    assert (preview.source.id, preview.target.id) == (old, new)
    assert preview.differing["name"] == ("Wang", "Wang Wei")
    assert preview.filled == {"city": "Hangzhou"}
    assert (preview.identities, preview.tags, preview.notes, preview.consents) == (1, 1, 1, 1)
    assert [text.en for text in preview.warnings] == ["Their birthdays differ."]
    assert ([row.kind for row in preview.of_source], [row.kind for row in preview.of_target]) == (
        ["phone"],
        ["user_id"],
    )


def test_the_preview_says_what_will_hold_of_consent_as_it_then_does(comes: Comes, actors: dict[str, Any]) -> None:
    by, day = actors["agent"], clock.now() - timedelta(days=9)
    old, new = comes("phone=13812345678", 0), comes("user_id=u1", 1)
    for id, channel, change, days in (
        (old, "sms", give_consent, 0), (new, "sms", withdraw_consent, 1),
        (old, "email", give_consent, 0), (new, "email", withdraw_consent, 0),
        (new, "wechat", give_consent, 1),
    ):  # fmt: skip
        change(customer_id=id, channel=channel, purpose="marketing", by=by, at=day + timedelta(days=days))
    agreed = queries.merge_preview(source=old, target=new).agreed
    said = [(one.channel, one.source and one.source.given, one.target and one.target.given, one.counts.given)
            for one in agreed]  # fmt: skip
    assert said == [("sms", True, False, False), ("email", True, False, False), ("wechat", None, True, True)]
    merge(source=old, target=new, by=by)
    assert queries.consent_states(new) == {(one.channel, one.purpose): one.counts for one in agreed}


def test_after_a_merge_both_are_one_and_after_undoing_two_again(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    old = comes("phone=13812345678", 5, name="Wang", city="Hangzhou", plan="gold")
    new = comes("user_id=u1", 1, name="Wang Wei")
    tag(customer_ids=[old], name="VIP", by=by)
    add_note(customer_id=old, text="Likes tea", by=by)
    give_consent(customer_id=old, channel="sms", purpose="marketing", by=by)
    before = queries.get(old), queries.get(new)
    id = merge(source=old, target=new, by=by)
    one = queries.get(old)
    assert one.id == new and one.records == (new, old)
    assert (one.fields["name"], one.fields["city"], one.custom) == ("Wang Wei", "Hangzhou", {"plan": "gold"})
    assert [row.name for row in queries.tags(new)] == ["VIP"]
    assert [row.text for row in queries.notes(new)] == ["Likes tea"]
    assert queries.consent_states(new)["sms", "marketing"].given
    withdraw_consent(customer_id=new, channel="sms", purpose="marketing", by=by)
    assert unmerge(merge_id=id, by=by) == old
    assert (queries.get(old), queries.get(new)) == before
    assert queries.tags(new) == [] and queries.notes(new) == []
    assert queries.consent_states(old)["sms", "marketing"].given
    assert not queries.consent_states(new)["sms", "marketing"].given
    last = recent()[0]
    assert (last.name, last.properties) == ("Customers Unmerged", {"source": old, "target": new, "root": new})
    with pytest.raises(Conflict, match="undone"):
        unmerge(merge_id=id, by=by)


def test_whose_fields_stay_can_be_chosen(comes: Comes, actors: dict[str, Any]) -> None:
    old = comes("phone=13812345678", 0, name="Wang", city="Hangzhou")
    new = comes("user_id=u1", 1, name="Wang Wei", city="Beijing")
    merge(source=old, target=new, by=actors["agent"], keep_from_source=["city"])
    assert queries.get(new).fields["name"] == "Wang Wei"
    assert queries.get(new).fields["city"] == "Hangzhou"
    with pytest.raises(Invalid):
        merge(source=comes("user_id=u9"), target=new, by=actors["agent"], keep_from_source=["city"])


def test_a_merge_inside_a_merge_can_be_undone_alone(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    a, b, c = comes("user_id=a", name="A"), comes("user_id=b", name="B"), comes("user_id=c", name="C")
    first = merge(source=a, target=b, by=by)
    merge(source=b, target=c, by=by)
    assert queries.members(a) == [c, a, b]
    assert unmerge(merge_id=first, by=by) == a
    assert queries.members(a) == [a]
    assert queries.members(b) == [c, b]
    assert queries.get(a).fields["name"] == "A"


def test_a_change_of_the_profile_after_a_merge_stays_with_the_target(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    a, b = comes("user_id=a", name="A"), comes("user_id=b", name="B")
    id = merge(source=a, target=b, by=by)
    update_profile(customer_id=a, fields={"name": "Both"}, by=by)
    assert queries.get(a).fields["name"] == "Both"
    unmerge(merge_id=id, by=by)
    assert queries.get(a).fields["name"] == "A"
    assert queries.get(b).fields["name"] == "Both"


def test_who_may_not_merge_is_told(comes: Comes, actors: dict[str, Any]) -> None:
    a, b = comes("user_id=a"), comes("user_id=b")
    for role in ("marketer", "store", "analyst"):
        with pytest.raises(Forbidden):
            merge(source=a, target=b, by=actors[role])
    id = merge(source=a, target=b, by=actors["manager"])
    with pytest.raises(Conflict, match="same_customer"):
        merge(source=b, target=a, by=actors["manager"])
    with pytest.raises(Forbidden):
        unmerge(merge_id=id, by=actors["store"])
    with pytest.raises(NotFound):
        merge(source=a, target=10**9, by=actors["manager"])
