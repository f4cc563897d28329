"""One spelling for every value; reasons for what can't be one; nothing given away in lists."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.customers.identities import KINDS, PLAIN_LENGTH, fault, masked, normalised, plain, readings, usable
from regulars.kernel.errors import Invalid

PHONE = "+8613812345678"


@pytest.mark.parametrize(
    "spelling",
    [
        "13812345678", " 138 1234 5678 ", "138-1234-5678", "+86 138 1234 5678", "+8613812345678", "008613812345678",
        "8613812345678", "１３８１２３４５６７８", "（+86）138 1234 5678", "tel:+86-138-1234-5678", "13812345678.0",
        "1.3812345678E+10", "138\u200b12345678", "13812345678 ext. 5", "\ufeff13812345678\t",
    ],
)  # fmt: skip
def test_every_usual_spelling_of_a_phone_is_one_number(spelling: str) -> None:
    assert normalised("phone", spelling) == PHONE


def test_phones_follow_the_region_of_the_business() -> None:
    assert normalised("phone", "010-65529988") == "+861065529988"
    assert normalised("phone", "(415) 555-2671", region="US") == "+14155552671"
    assert normalised("phone", "+14155552671") == "+14155552671"
    assert normalised("phone", "020 7946 0958", region="GB") == "+442079460958"


@given(st.from_regex(r"(\+86|0086|86|)1[0-9]{10}", fullmatch=True), st.sampled_from(["CN", "US", "HK"]))
def test_plain_mobile_numbers_are_what_the_tables_of_numbers_say(text: str, region: str) -> None:
    number = phonenumbers.parse("+" + text[2:] if text.startswith("00") else text, region)
    valid = phonenumbers.is_valid_number(number)
    if text.startswith(("+", "00")):  # with its country code a number of the right length is believed
        valid = valid or (len(set(text[-10:])) > 1 and text[-11:] != "12345678901")
    assert usable("phone", text, region=region) == (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None
    )


@pytest.mark.parametrize(
    ("value", "code"),
    [("1381234", "few"), ("138123456789012345", "many"), ("12345678901", "given out"), ("hello", "isn't a phone")],
)
def test_a_bad_phone_says_what_is_wrong(value: str, code: str) -> None:
    with pytest.raises(Invalid) as problem:
        normalised("phone", value)
    assert code in problem.value.text.en
    assert problem.value.text.zh
    assert problem.value.field == "phone"


@pytest.mark.parametrize(
    "spelling",
    ["+44 7700 900123", "+447700900123", "0044 7700 900123", "tel:+44-7700-900123", "+44 (0)7700 900123", "＋44 7700 900123"],
)  # fmt: skip
@pytest.mark.parametrize("region", ["GB", "CN", "US"])
def test_a_number_with_its_country_code_is_believed_before_the_tables_know_it(spelling: str, region: str) -> None:
    assert normalised("phone", spelling, region=region) == "+447700900123"


@pytest.mark.parametrize(
    ("value", "region"),
    [
        ("07700 900123", "GB"), ("13900000000", "GB"), ("12", "GB"), ("abc", "GB"),  # no country code: elsewhere's?
        ("+86 138001380", "GB"), ("+44 7700 90012", "GB"), ("+44 7700 9001234", "GB"), ("+44 900000", "GB"),
        ("+44 0000000000", "GB"), ("+1 555 555 5555", "US"), ("+86 10000000000", "CN"), ("+86 12345678901", "CN"),
        ("+999 1234567", "GB"),
    ],
)  # fmt: skip
def test_what_is_too_short_or_typed_to_get_past_a_field_is_nobody_s_number(value: str, region: str) -> None:
    assert usable("phone", value, region=region) is None
    assert fault("phone", value, region=region) is not None


@pytest.mark.parametrize("region", ["CN", "GB", "US", "DE", "FR", "JP", "HK", "IT"])
@given(st.data())
def test_what_is_plain_is_usable(region: str, data: st.DataObject) -> None:
    for kind in ("phone", "email", "user_id", "member_card", "device"):
        value = data.draw(st.from_regex(re.compile(plain(kind, region), re.ASCII), fullmatch=True))
        assert len(value) > PLAIN_LENGTH or fault(kind, value, region=region) is None, value


def test_email_is_small_letters_without_trimmings() -> None:
    assert normalised("email", "  Li.Wei@Example.COM ") == "li.wei@example.com"
    assert normalised("email", "mailto:LI@example.com") == "li@example.com"
    assert normalised("email", "ｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ") == "li@example.com"
    assert normalised("email", "王伟@例子.中国") == "王伟@例子.中国"


@pytest.mark.parametrize("value", ["a@b", "a b@example.com", "@example.com", "a@.com", "a@@example.com", "a@example.c"])
def test_what_is_no_address_is_refused(value: str) -> None:
    assert usable("email", value) is None


@pytest.mark.parametrize("value", ["null", "undefined", "", " ", "0", "N/A", "无", "[object Object]", "None", "\u200b"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_programs_send_when_they_have_nothing_identifies_nobody(kind: str, value: str) -> None:
    with pytest.raises(Invalid):
        normalised(kind, value)


def test_ids_keep_their_case_and_cards_lose_their_spaces() -> None:
    assert normalised("user_id", " U-1 ") == "U-1"
    assert normalised("wechat_openid", "oAbC_123-x") == "oAbC_123-x"
    assert normalised("member_card", "vip 0001-2345") == "VIP00012345"
    assert normalised("device", "ABCD-12") == "abcd-12"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Invalid, match="identity_kind"):
        normalised("fax", "1")


def test_a_text_is_read_as_every_identity_that_it_may_be() -> None:
    assert ("phone", PHONE) in readings("138 1234 5678")
    assert ("email", "li@example.com") in readings("Li@Example.com")
    assert ("user_id", "138 1234 5678") in readings("138 1234 5678")


def test_lists_show_enough_to_recognise_and_too_little_to_copy() -> None:
    assert masked("phone", PHONE) == "138****5678"
    assert masked("phone", "+14155552671") == "+141****2671"
    assert masked("email", "li.wei@example.com") == "l***@example.com"
    assert masked("member_card", "VIP00012345") == "VI***45"
    assert masked("member_card", "A17") == "***7"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("user_id", "7"), ("member_card", "🍵"), ("member_card", "A🍵"), ("device", "🍵🍵🍵🍵🍵🍵🍵"), ("device", "----x-----"),
     ("user_id", "e\u0301\u0323\u0308\u0304\u0307\u030a\u030b")],
)  # fmt: skip
def test_of_a_short_or_odd_identity_a_list_shows_nothing(kind: str, value: str) -> None:
    assert masked(kind, value) == "***"
    assert masked("email", "a@example.com") == masked("email", "li@example.com") == "***@example.com"


@given(st.sampled_from(list(KINDS)), st.text(max_size=60))
def test_a_normalised_value_stays_as_it_is(kind: str, text: str) -> None:
    value = usable(kind, text)
    if value is not None:
        assert usable(kind, value) == value
        assert 1 <= len(value) <= 254
        shown = masked(kind, value)
        assert value not in shown and shown.replace("*", "") != value.replace("*", "")
