import pytest

from regulars.accounts import queries, services
from regulars.accounts.actors import SYSTEM, Actor
from regulars.accounts.models import ApiKey, AuditEntry
from regulars.kernel.errors import Forbidden, Invalid

pytestmark = pytest.mark.django_db


def test_a_write_key_is_active_until_revoked() -> None:
    key = services.add_write_key(name="shop", by=SYSTEM)
    assert queries.active_write_keys() == {key.key: key.pk}
    services.revoke_write_key(id=key.pk, by=SYSTEM)
    services.revoke_write_key(id=key.pk, by=SYSTEM)
    assert queries.active_write_keys() == {}
    assert AuditEntry.objects.filter(action="Write Key Revoked").count() == 1


def test_of_an_api_key_only_a_digest_is_kept() -> None:
    row, secret = services.add_api_key(name="till", scopes=["customers.view"], by=SYSTEM)
    assert secret not in str(ApiKey.objects.values().get())
    found = queries.api_key(secret)
    assert found is not None and found.pk == row.pk
    assert queries.api_key(secret + "x") is None
    services.revoke_api_key(id=row.pk, by=SYSTEM)
    assert queries.api_key(secret) is None


def test_scopes_have_to_be_known() -> None:
    with pytest.raises(Invalid):
        services.add_api_key(name="till", scopes=["everything"], by=SYSTEM)


def test_settings_have_defaults_and_change_piece_by_piece() -> None:
    assert queries.business().zone == "Asia/Shanghai"
    services.change_settings(name="茶与养生", currency="cny", by=SYSTEM)
    services.change_settings(zone="Europe/London", more={"cutoffs": {"silent_days": 60}}, by=SYSTEM)
    business = queries.business()
    assert (business.name, business.zone, business.currency) == ("茶与养生", "Europe/London", "CNY")
    assert business.more == {"cutoffs": {"silent_days": 60}}
    assert business.version == 3


@pytest.mark.parametrize("wrong", [{"zone": "Mars/Base"}, {"currency": "GOLD"}, {"region": "XX9"}, {"name": ""}])
def test_a_wrong_setting_is_told_at_its_field(wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid) as problem:
        services.change_settings(by=SYSTEM, **wrong)  # type: ignore[arg-type]
    assert problem.value.field == next(iter(wrong))


def test_a_marketer_changes_no_settings(actors: dict[str, Actor]) -> None:
    with pytest.raises(Forbidden):
        services.change_settings(name="X", by=actors["marketer"])


def test_the_trail_is_read_newest_first_by_key() -> None:
    for name in "abc":
        services.add_write_key(name=name, by=SYSTEM)
    first = queries.audit(limit=2)
    rest = queries.audit(limit=2, before=first[-1].pk)
    assert [len(first), len(rest)] == [2, 1]
    assert first[0].pk > first[1].pk > rest[0].pk
    assert queries.names_of({"system", "staff:999"}) == {"system": "Regulars"}
