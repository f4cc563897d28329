"""What has to go from the properties of past events when a person is erased. Pure: no database here.

Amounts, products, times and codes stay, so that figures stay; what names a person, or that they wrote, goes.
"""

import re
from collections.abc import Collection
from typing import Any

_NAMES = """
name firstname lastname fullname username nickname realname contactname receiver recipient consignee
email mail phone mobile tel telephone wechat openid unionid
address street shippingaddress billingaddress postalcode zip latitude longitude ip useragent
birthday dateofbirth gender idcard idnumber passport avatar
traits customer user userid anonymousid deviceid membercard
comment comments text note notes remark message feedback answer body content description query search
referrer url href
姓名 手机 手机号 电话 邮箱 地址 生日 备注 收货人 身份证
"""
_PERSONAL = frozenset(_NAMES.split())
_PRODUCT_PARTS = frozenset({"products", "items", "lines"})


def _plain(key: str) -> str:
    return re.sub(r"[\s_.-]", "", key).lower()


def scrubbed(properties: Any, secrets: Collection[str], *, product: bool = False) -> Any:
    """The properties without what is personal by its name, and without texts that hold one of the `secrets` (identities
    and names, in small letters). A product keeps its name and description.
    """
    if isinstance(properties, dict):
        kept = {}
        for key, value in properties.items():
            plain = _plain(key)
            if plain in _PERSONAL and not (product and plain in {"name", "description", "url"}):
                continue
            of_product = product or plain in _PRODUCT_PARTS
            if not _holds(value, secrets):
                kept[key] = scrubbed(value, secrets, product=of_product)
        return kept
    if isinstance(properties, list):
        return [scrubbed(item, secrets, product=product) for item in properties if not _holds(item, secrets)]
    return properties


def _telling(secret: str) -> bool:
    """Whether a text names the person by itself: "15" may be their user id and is a price of everybody."""
    if not secret.isascii():
        return len(secret) >= 2
    return len(secret) >= (4 if " " in secret else 6)  # Li Na is two words


_DIALLED = re.compile(r"\+?\d[\d\s().\-]{5,}\d")


def _dials(text: str, secrets: Collection[str]) -> bool:
    """Whether a number in the text is one of the phones, however it is grouped and with whatever country prefix."""
    phones = {secret.lstrip("+") for secret in secrets if len(secret) >= 8 and secret.lstrip("+").isdigit()}
    if not phones:
        return False
    return any(re.sub(r"\D", "", found).endswith(tuple(phones)) for found in _DIALLED.findall(text))


def _holds(value: Any, secrets: Collection[str]) -> bool:
    """Whether a text has a secret as a word of its own (Chinese knows no spaces), or a number is one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value).lower()
    if isinstance(value, int):
        return (_telling(text) and text in secrets) or _dials(text, secrets)
    return _dials(text, secrets) or any(
        re.search(rf"(?<![a-z0-9]){re.escape(secret)}(?![a-z0-9])", text) if secret.isascii() else secret in text
        for secret in secrets
        if _telling(secret)
    )


def names_somebody(text: str, secrets: Collection[str]) -> bool:
    """Whether a text has one of the secrets in it, or is one: a short number alone may be anything."""
    plain = text.strip().lower()
    return _holds(plain, secrets) or (plain in secrets and not plain.isdigit())


_OWNER = frozenset({"userid", "anonymousid", "previousid"})


def sent_by(payload: Any, identities: Collection[str], *, owner: bool = False) -> bool:
    """Whether an event as it came is of the person with these identities (small letters): it says so as who sent it, or
    has one of them as a whole value (a short one may be anything).
    """
    if isinstance(payload, dict):
        return any(sent_by(inner, identities, owner=_plain(str(key)) in _OWNER) for key, inner in payload.items())
    if isinstance(payload, list):
        return any(sent_by(inner, identities) for inner in payload)
    if isinstance(payload, bool) or not isinstance(payload, str | int):
        return False
    text = str(payload).lower()
    return (text in identities and (owner or _telling(text))) or _dials(text, identities)
