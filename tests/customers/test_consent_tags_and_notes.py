"""Consent per channel and purpose with its history; tags, one or many; notes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from regulars.accounts.actors import SYSTEM
from regulars.accounts.queries import audit
from regulars.customers import queries
from regulars.customers.services import (
    Claim,
    add_note,
    add_notes,
    delete_note,
    delete_notes,
    erase,
    give_consent,
    merge,
    resolve,
    restore_note,
    restore_notes,
    retag,
    tag,
    undo_consent,
    undo_tag,
    unmerge,
    untag,
    withdraw_consent,
)
from regulars.eventlog.queries import recent
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.customers.conftest import MONDAY

Comes = Callable[..., int]


def test_consent_is_given_withdrawn_and_undone_back_to_unknown(comes: Comes, actors: dict[str, Any]) -> None:
    id, by = comes("user_id=u1"), actors["store"]
    assert queries.consent_states(id) == {}
    given = give_consent(customer_id=id, channel="sms", purpose="marketing", by=by, source="till")
    assert queries.consent_states(id)["sms", "marketing"].given
    assert give_consent(customer_id=id, channel="sms", purpose="marketing", by=by) is None
    gone = withdraw_consent(customer_id=id, channel="sms", purpose="marketing", by=by)
    assert not queries.consent_states(id)["sms", "marketing"].given
    assert gone is not None and given is not None
    undo_consent(entry_id=gone, by=by)
    assert queries.consent_states(id)["sms", "marketing"].given
    undo_consent(entry_id=given, by=by)
    assert queries.consent_states(id) == {}
    assert [(row.given, row.undone, row.source) for row in queries.consent_history(id)] == [
        (False, True, ""), (True, True, "till"),
    ]  # fmt: skip
    assert [row.name for row in recent()][:5] == [
        "Consent Undone", "Consent Undone", "Consent Withdrawn", "Consent Given", "Customer Identified",
    ]  # fmt: skip
    with pytest.raises(Conflict):
        undo_consent(entry_id=given, by=by)
    with pytest.raises(NotFound):
        undo_consent(entry_id=0, by=by)


def test_an_older_entry_that_comes_late_doesnt_beat_a_newer_one(comes: Comes, actors: dict[str, Any]) -> None:
    id, by, now = comes("user_id=u1"), actors["agent"], clock.now()
    withdraw_consent(customer_id=id, channel="email", purpose="marketing", by=by, at=now - timedelta(days=1))
    give_consent(customer_id=id, channel="email", purpose="marketing", by=by, at=now - timedelta(days=2))
    assert not queries.consent_states(id)["email", "marketing"].given


def test_channels_and_purposes_are_checked(comes: Comes, actors: dict[str, Any]) -> None:
    for channel, purpose in (("fax", "marketing"), ("sms", "fun")):
        with pytest.raises(Invalid):
            give_consent(customer_id=comes("user_id=u1"), channel=channel, purpose=purpose, by=actors["agent"])
    with pytest.raises(Forbidden):
        give_consent(customer_id=comes("user_id=u1"), channel="sms", purpose="service", by=actors["analyst"])


def test_many_are_tagged_in_a_few_statements_and_untagged_again(db: None, actors: dict[str, Any]) -> None:
    by = actors["marketer"]
    ids = [id for id in resolve([Claim((("user_id", f"u{n}"),), {}, MONDAY) for n in range(1500)]) if id]
    assert tag(customer_ids=ids[:2], name="VIP", by=by).customer_ids == ids[:2]
    with CaptureQueriesContext(connection) as queries_made:
        done = tag(customer_ids=ids, name=" ｖｉｐ ", by=by).customer_ids
    assert done == ids[2:]
    assert len(queries_made) < 40
    assert queries.tags_of(ids[:3]) == {id: ["VIP"] for id in ids[:3]}
    assert queries.all_tags() == [("VIP", 1500)]
    assert [card.id for card in queries.page(tag="vip", limit=2)] == [ids[-1], ids[-2]]
    gone = untag(customer_ids=done, name="VIP", by=by)
    assert gone.customer_ids == done
    assert [row.name for row in queries.tags(ids[0])] == ["VIP"]
    assert untag(customer_ids=done, name="nobody has it", by=by).customer_ids == []
    event = recent()[0]
    assert (event.name, event.properties) == ("Tag Removed", {"tag": "VIP"})
    assert [(row.action, row.details) for row in audit()][:1] == [("Tag Removed", {"tag": "VIP", "count": 1498})]
    with CaptureQueriesContext(connection) as queries_made:
        assert retag(removal=gone.removal, by=by) == done
    assert len(queries_made) < 40
    assert queries.tags_of(ids) == {id: ["VIP"] for id in ids}
    assert retag(removal=gone.removal, by=by) == []
    with pytest.raises(Invalid):
        tag(customer_ids=ids, name=" ", by=by)
    with pytest.raises(Forbidden):
        tag(customer_ids=ids, name="x", by=actors["analyst"])


def test_a_tag_taken_off_by_mistake_goes_back_to_the_record_it_was_of(comes: Comes, actors: dict[str, Any]) -> None:
    first, second = comes("user_id=u1"), comes("user_id=u2")
    tag(customer_ids=[second], name="VIP", by=actors["store"])
    put = queries.tags(second)
    made = merge(source=second, target=first, by=actors["manager"])
    gone = untag(customer_ids=[first], name="VIP", by=actors["marketer"])
    assert gone.customer_ids == [first] and queries.tags(first) == []
    assert retag(removal=gone.removal, by=actors["marketer"]) == [first]
    assert queries.tags(first) == put  # who put it on, and when, too
    unmerge(merge_id=made, by=actors["manager"])
    assert (queries.tags(first), queries.tags(second)) == ([], put)


def test_a_tag_isnt_put_back_on_who_was_erased_or_tagged_anew(comes: Comes, actors: dict[str, Any]) -> None:
    ids = [comes("user_id=u1"), comes("user_id=u2"), comes("user_id=u3")]
    tag(customer_ids=ids, name="VIP", by=actors["store"])
    gone = untag(customer_ids=ids, name="VIP", by=actors["store"])
    erase(customer_id=ids[0], by=actors["admin"])
    tag(customer_ids=ids[1:2], name="VIP", by=actors["agent"])
    with pytest.raises(Forbidden):
        retag(removal=gone.removal, by=actors["analyst"])
    assert retag(removal=gone.removal, by=actors["store"]) == [ids[2]]
    assert queries.tagged("VIP") == ids[1:]
    assert queries.tags(ids[1])[0].by == actors["agent"].ref


def test_notes_are_written_deleted_and_brought_back(comes: Comes, actors: dict[str, Any]) -> None:
    id, by = comes("user_id=u1"), actors["store"]
    first = add_note(customer_id=id, text=" Likes oolong ", by=by)
    second = add_note(customer_id=id, text="Allergic to nuts", by=by)
    assert [row.text for row in queries.notes(id)] == ["Allergic to nuts", "Likes oolong"]
    assert [row.text for row in queries.notes(id, before=second)] == ["Likes oolong"]
    delete_note(note_id=first, by=by)
    assert [row.id for row in queries.notes(id)] == [second]
    restore_note(note_id=first, by=by)
    assert len(queries.notes(id)) == 2
    with pytest.raises(Invalid):
        add_note(customer_id=id, text=" ", by=by)
    with pytest.raises(NotFound):
        delete_note(note_id=0, by=by)


def test_many_get_the_same_note_in_a_few_statements_and_it_is_undone_and_redone(
    db: None, actors: dict[str, Any]
) -> None:
    by = actors["store"]
    ids = [id for id in resolve([Claim((("user_id", f"u{n}"),), {}, MONDAY) for n in range(1500)]) if id]
    merge(source=ids[1], target=ids[0], by=actors["admin"])
    erase(customer_id=ids[2], by=actors["admin"])
    with CaptureQueriesContext(connection) as queries_made:
        made = add_notes(customer_ids=[*ids, ids[5]], text=" Moved to the new store ", by=by)
    assert len(made) == 1498  # the merged are one, the erased is left out
    assert len(queries_made) < 20
    assert [row.text for row in queries.notes(ids[0])] == ["Moved to the new store"]
    assert queries.notes(ids[2]) == []
    assert [(row.action, row.details) for row in audit()][:1] == [("Note Added", {"count": 1498})]
    gone = queries.notes(ids[5])[0].id
    delete_note(note_id=gone, by=by)
    done = delete_notes(note_ids=made, by=by)
    assert done == [id for id in made if id != gone]
    assert queries.notes(ids[0]) == []
    assert restore_notes(note_ids=done, by=by) == done
    assert len(queries.notes(ids[0])) == 1 and queries.notes(ids[5]) == []
    assert restore_notes(note_ids=done, by=by) == []
    with pytest.raises(Invalid):
        add_notes(customer_ids=ids, text=" ", by=by)
    with pytest.raises(Forbidden):
        add_notes(customer_ids=ids, text="x", by=actors["analyst"])


def test_undoing_a_tag_takes_it_off_those_who_got_it_then_and_nobody_else(comes: Comes, actors: dict[str, Any]) -> None:
    had, got, later = (comes(f"user_id=u{n}") for n in range(3))
    tag(customer_ids=[had], name="VIP", by=actors["store"])
    before = queries.tags(had)
    done = tag(customer_ids=[had, got, later], name="VIP", by=actors["marketer"])
    assert done.customer_ids == [got, later]
    merge(source=got, target=had, by=SYSTEM)  # who had it and who got it are one by now
    assert undo_tag(addition=done.addition, by=actors["store"]) == []  # that of somebody else
    assert undo_tag(addition=done.addition, by=actors["marketer"]) == [later]
    assert queries.tagged("VIP") == [had] and queries.tags(had) == before
    assert undo_tag(addition=done.addition, by=actors["marketer"]) == undo_tag(addition="1-x", by=SYSTEM) == []
