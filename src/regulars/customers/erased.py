"""What is remembered of erased people: that an identity was theirs, and nothing else."""

import hmac
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from hashlib import sha256

from django.conf import settings

from regulars.customers.bulk import pieces
from regulars.customers.models import ErasedIdentity, Identity

Key = tuple[str, str]


def digest(key: Key) -> str:
    """Of an identity in its normal spelling. Who has no secret of this installation can't try numbers out."""
    told = "\n".join(("erased identity", *key)).encode()
    return hmac.new(settings.SECRET_KEY.encode(), told, sha256).hexdigest()


def remember(members: Collection[int], at: datetime) -> None:
    """Note the identities of these records as erased, before they go."""
    rows = Identity.objects.filter(customer__in=members).values_list("kind", "value", "customer_id")
    ErasedIdentity.objects.bulk_create(
        [
            ErasedIdentity(digest=digest((kind, value)), record_id=record, erased_at=at)
            for kind, value, record in rows
        ],
        update_conflicts=True, unique_fields=["digest"], update_fields=["record_id", "erased_at"], batch_size=300,
    )  # fmt: skip


def among(keys: Iterable[Key]) -> Mapping[Key, tuple[int, datetime]]:
    """Those of the identities that were erased: the record they belonged to, and when."""
    by_digest = {digest(key): key for key in keys}
    found: dict[Key, tuple[int, datetime]] = {}
    for piece in pieces(by_digest):
        rows = ErasedIdentity.objects.filter(digest__in=piece).values_list("digest", "record_id", "erased_at")
        found |= {by_digest[told]: (record, at) for told, record, at in rows}
    return found
