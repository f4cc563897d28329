"""Who may go through which door. Found by the addresses: a door without a check fails here."""

from collections.abc import Callable

import pytest
from django.test import Client

from regulars.accounts.capabilities import CAPABILITIES, OF_ROLE, ROLES
from tests.attacks.conftest import doors

OPEN = {"/login", "/logout", "/language", "/session"}
EVERYBODY = {"/", "/me", "/search", "/jobs", "/jobs/{id}", "/jobs/{id}/cancel"}
"""Open to whoever works here: what they show is one's own, or looks itself at what one may see."""

ComeIn = Callable[..., Client]


def test_every_door_says_who_may_enter() -> None:
    unchecked = {str(door) for door in doors() if not hasattr(door.view, "capability")}
    assert unchecked == OPEN
    for_everybody = {str(door) for door in doors() if getattr(door.view, "capability", "") is None}
    assert for_everybody <= EVERYBODY
    named = {door.view.capability for door in doors() if getattr(door.view, "capability", None)}  # type: ignore[attr-defined]
    assert named <= set(CAPABILITIES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_without_the_capability_gets_403_and_others_dont(role: str, come_in: ComeIn) -> None:
    client = come_in(role)
    wrong = []
    for door in doors():
        capability = getattr(door.view, "capability", None)
        if capability is None:
            continue
        for answer in (client.get(door.at()), client.post(door.at())):
            allowed = capability in OF_ROLE[role]
            if (answer.status_code == 403) == allowed or answer.status_code >= 500:
                wrong.append((str(door), answer.request["REQUEST_METHOD"], answer.status_code))
    assert wrong == []


def test_nobody_gets_in_without_logging_in(come_in: ComeIn) -> None:
    client = Client()
    for door in doors():
        if str(door) in OPEN:
            continue
        for answer in (client.get(door.at()), client.post(door.at())):
            assert answer.status_code == 302, door
            assert answer["Location"].startswith("/login?next="), door


def test_every_post_needs_the_token_of_this_session(come_in: ComeIn) -> None:
    client = come_in("admin", enforce_csrf_checks=True)
    taken = [str(door) for door in doors() if client.post(door.at()).status_code != 403]
    assert taken == []
    token = client.get("/me").cookies.get("csrftoken")
    assert token is None or token["samesite"] == "Lax"


def test_what_changes_something_isnt_done_by_following_a_link(come_in: ComeIn) -> None:
    """A GET gives a page or refuses; mail scanners and prefetching follow every link."""
    words = {"delete", "remove", "undo", "revoke", "cancel", "discard", "replay", "restore", "start", "erase", "logout",
             "add", "untag", "password", "save", "unmerge", "settle", "upload"}  # fmt: skip
    client = come_in("admin")
    pages = {"/customers/add"}
    for door in doors():
        if words & set(str(door).strip("/").split("/")) and str(door) not in pages:
            assert client.get(door.at()).status_code in (404, 405), door


def test_jobs_of_others_are_not_there(come_in: ComeIn) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.jobs import services
    from regulars.kernel.languages import Text

    job = services.start("imports.read", by=SYSTEM, arguments={}, title=Text("Secret", "秘密"))
    client = come_in("store")
    assert client.get(f"/jobs/{job.pk}").status_code == 404
    assert client.post(f"/jobs/{job.pk}/cancel").status_code == 404
    assert "Secret" not in client.get("/jobs?of=everybody").content.decode()
