"""What identifies a customer: the kinds, one spelling for each value, and how it is shown without giving it away.

Pure: no database here. Who an identity belongs to is decided in services.resolve.
"""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Any

import phonenumbers

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

KINDS: dict[str, Text] = {
    "user_id": Text("User id", "用户 ID"),
    "member_card": Text("Member card", "会员卡"),
    "wechat_unionid": Text("WeChat union id", "微信 UnionID"),
    "wechat_openid": Text("WeChat open id", "微信 OpenID"),
    "wecom_external_userid": Text("WeCom external contact", "企业微信外部联系人"),
    "phone": Text("Phone", "手机号"),
    "email": Text("E-mail", "邮箱"),
    "anonymous_id": Text("Browser", "匿名 ID"),
    "device": Text("Device", "设备"),
}
"""Strongest first: where the identities of one event point to different customers, the first decides."""

RANK = {kind: rank for rank, kind in enumerate(KINDS)}
MAX_LENGTH = 200

NAMES_A_PERSON = frozenset(KINDS) - {"anonymous_id", "device"}
"""A record is *known* once it has one of these."""

_STRONG = frozenset({"user_id", "member_card", "wechat_unionid", "wechat_openid", "wecom_external_userid"})
COUNTED: dict[str, frozenset[str]] = {
    "phone": _STRONG | {"email"},
    "email": _STRONG | {"phone"},
    "anonymous_id": _STRONG | {"phone", "email"},
    "device": _STRONG | {"phone", "email"},
}
"""Kind that several people may share → the kinds of which it may be seen with only so many until it is shared."""

# What programs send when they have nothing: as an identity it would make one customer of everybody.
_PLACEHOLDERS = frozenset(
    {
        "", "null", "undefined", "none", "nil", "nan", "n/a", "na", "-", "--", "0", "unknown", "anonymous", "guest",
        "test", "true", "false", "[object object]", "00000000-0000-0000-0000-000000000000", "无", "空", "未知", "暂无",
        "没有",
    }
)  # fmt: skip
_INVISIBLE = re.compile(r"[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff\ud800-\udfff]")
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*"
    r"@([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W\d_]([\w-]{0,61}[^\W_])"
)
# A mobile number of mainland China, nearly all there are here: no use in parsing what is plain.
_CHINA: Any = phonenumbers.PhoneMetadata.metadata_for_region("CN")
_MOBILE = re.compile(_CHINA.mobile.national_number_pattern, re.ASCII)
_COUNTING = "12345678901234567890"
_SCIENTIFIC = re.compile(r"\d(\.\d+)?e\+?\d{1,2}")

_EMPTY = Text("This isn't a value that tells customers apart.", "这个值不能用来区分客户。")
_NOTHING = Text("Type a value.", "请填写标识的值。")
_LONG = Text("This is longer than 200 characters.", "长度超过 200 个字符。")
_NO_EMAIL = Text(
    "This isn't an e-mail address. It looks like name@example.com.", "这不是有效的邮箱地址，应形如 name@example.com。"
)
_NO_NUMBER = Text("This isn't a phone number.", "这不是电话号码。")
_SHORT = Text("This phone number has too few digits.", "电话号码位数不足。")
_MANY = Text("This phone number has too many digits.", "电话号码位数过多。")
_NOT_GIVEN_OUT = Text(
    "No such phone number is given out. Check the digits, or write the country code (+86 …).",
    "没有这样的号段，请检查号码，或写上国家代码（+86 …）。",
)
_NO_KIND = Text("There is no kind of identity called {kind}.", "没有名为 {kind} 的标识类型。")


def cleaned(value: str) -> str:
    """Without invisible characters and space around; full-width letters and digits as plain ones."""
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", value)).strip()


def _taken_at_its_word(number: Any) -> bool:
    """Whether a number that isn't in the tables of those given out is one all the same: it was written with its country
    code and is as long as mobile numbers are there. The tables are always a little behind, and know nothing of ranges
    kept for examples. Without a country code it is likelier a number of elsewhere, and would become another person's.

    What people type to get past a field (0000000000, 1234567890) stays out: it would make one customer of several.
    """
    source = phonenumbers.CountryCodeSource
    if number.country_code_source not in (source.FROM_NUMBER_WITH_PLUS_SIGN, source.FROM_NUMBER_WITH_IDD):
        return False
    mobile = phonenumbers.PhoneNumberType.MOBILE
    if not phonenumbers.is_possible_number_for_type(number, mobile):
        return False
    digits = phonenumbers.national_significant_number(number)
    return len(set(digits[1:])) > 1 and not _COUNTING.startswith(digits)


def _phone(text: str, region: str) -> str | Text:
    lowered = text.lower().removeprefix("tel:").strip()
    if _SCIENTIFIC.fullmatch(lowered):  # a spreadsheet took it for a quantity: 1.3812345678E+10
        lowered = f"{Decimal(lowered):f}"
    lowered = re.sub(r"(?<=\d)\.0+$", "", lowered)
    if lowered.startswith("00"):
        lowered = "+" + lowered[2:]
    bare = lowered.removeprefix("+86")
    if (region == "CN" or lowered.startswith("+")) and len(bare) == 11 and _MOBILE.fullmatch(bare):
        return "+86" + bare
    try:
        number = phonenumbers.parse(lowered, region, keep_raw_input=True)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.TOO_LONG:
            return _MANY
        short = phonenumbers.NumberParseException.TOO_SHORT_NSN, phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD
        return _SHORT if error.error_type in short else _NO_NUMBER
    number.extension = None
    if not phonenumbers.is_valid_number(number) and not _taken_at_its_word(number):
        possible = phonenumbers.is_possible_number_with_reason(number)
        if possible == phonenumbers.ValidationResult.TOO_SHORT or len(str(number.national_number)) < 8:
            return _SHORT
        return _MANY if possible == phonenumbers.ValidationResult.TOO_LONG else _NOT_GIVEN_OUT
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=50_000)
def _normalised(kind: str, raw: str, region: str) -> str | Text:
    """Spelled anew until that changes nothing: what is normal has to stay as it is."""
    value: str | Text = raw
    before: str | Text | None = None
    while isinstance(value, str) and value != before:
        value, before = _spelled(kind, value, region), value
    return value


def _spelled(kind: str, raw: str, region: str) -> str | Text:
    if kind not in KINDS:
        return _NO_KIND.filled(kind=kind)
    text = cleaned(raw)
    if not text:
        return _NOTHING
    if text.lower() in _PLACEHOLDERS:
        return _EMPTY
    if len(text) > MAX_LENGTH:
        return _LONG
    if kind == "phone":
        return _phone(text, region)
    if kind == "email":
        text = text.lower().removeprefix("mailto:").strip("<>,;. ")
        return text if len(text) <= 254 and _EMAIL.fullmatch(text) else _NO_EMAIL
    if kind == "member_card":
        text = re.sub(r"[\s-]+", "", text).upper()
        return text or _EMPTY
    if kind == "device":
        return text.lower()
    return text


def normalised(kind: str, raw: object, *, region: str = "CN") -> str:
    """The one spelling of a value: phones in E.164 (`region` where no country code is given), e-mail in small letters,
    cards without spaces, full-width characters as plain ones. Raises Invalid with the reason, the kind as its field.
    """
    value = _normalised(kind, str(raw), region)
    if isinstance(value, Text):
        raise Invalid(f"identity_{kind}" if kind in KINDS else "identity_kind", value, field=kind)
    return value


def usable(kind: str, raw: object, *, region: str = "CN") -> str | None:
    """Like `normalised`, None instead of an error."""
    value = _normalised(kind, str(raw), region)
    return None if isinstance(value, Text) else value


def fault(kind: str, raw: object, *, region: str = "CN") -> Text | None:
    """Why this can't be the value of such an identity; None where it can."""
    value = _normalised(kind, str(raw), region)
    return value if isinstance(value, Text) else None


_PLAIN_ID = "[0-9A-Za-z_.:/ -]*[1-9][0-9A-Za-z_.:/-]*"  # no placeholder holds a digit from 1 to 9
_PLAIN_EMAIL = r"[0-9A-Za-z_+-]+(\.[0-9A-Za-z_+-]+)*@([0-9A-Za-z]+\.)+[A-Za-z][A-Za-z]+"
PLAIN_LENGTH = 60


@lru_cache(maxsize=64)
def plain(kind: str, region: str = "CN") -> str:
    """A regular expression (RE2) for whole values of at most PLAIN_LENGTH characters that are usable beyond doubt, so
    that a million of them needn't be looked at one by one; "" where there is none. Phones without spaces, brackets and
    dashes. No counted repeats: they would make RE2 slow.
    """
    if kind == "email":
        return _PLAIN_EMAIL
    if kind != "phone":
        return _PLAIN_ID
    about: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if about is None or about.mobile is None or not about.mobile.national_number_pattern:
        return ""
    code, prefix = f"\\+{about.country_code}|00{about.country_code}", about.national_prefix or ""
    own = f"({code}|{prefix}|)({about.mobile.national_number_pattern})"
    if region in _LANDLINES:
        own += f"|({code}|{prefix})({about.fixed_line.national_number_pattern})"
    abroad = "|".join(_abroad(other) for other in _NEIGHBOURS if other != region)
    return f"{own}|(\\+|00)({abroad})"


_NEIGHBOURS = ("CN", "HK", "MO", "TW", "JP", "KR", "SG", "MY", "TH", "AU", "US", "GB", "FR", "DE")
"""Whose numbers stand in the files of many. No more of them: each makes the expression slower."""
_LANDLINES = frozenset({"CN", "GB", "FR", "JP"})
"""Where a number of a fixed line is told by its form. In Germany it isn't: how long one may be depends on its place."""


def _abroad(region: str) -> str:
    """Mobile numbers of elsewhere behind + or 00."""
    about: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return f"{about.country_code}({about.mobile.national_number_pattern})"


def readings(text: str, *, region: str = "CN") -> list[tuple[str, str]]:
    """Every identity that somebody who types this into a search may mean, as (kind, value)."""
    found = [(kind, usable(kind, text, region=region)) for kind in KINDS]
    return [(kind, value) for kind, value in found if value is not None]


def masked(kind: str, value: str) -> str:
    """As it may stand in a list: enough for somebody who knows it, too little for somebody who doesn't. Of what has few
    letters and digits (a pictogram is none) nothing is shown, for it would be nearly all.
    """
    if kind == "phone":
        local = value.removeprefix("+86") if re.fullmatch(r"\+861\d{10}", value) else value
        return f"{local[:-8]}****{local[-4:]}" if len(local) > 8 else f"****{local[-2:]}"
    if kind == "email":
        name, _, domain = value.rpartition("@")
        return f"{name[:1] if len(name) > 2 else ''}***@{domain}"
    telling = sum(map(str.isalnum, value))
    return f"{value[:2]}***{value[-2:]}" if telling > 6 else f"***{value[-1:]}" if telling > 1 else "***"
