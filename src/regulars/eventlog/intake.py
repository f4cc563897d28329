"""How far the segments of the inbox were taken in. Written in the transaction that takes in what stands before."""

from collections.abc import Collection, Mapping

from regulars.eventlog.models import IntakeCursor


def places() -> dict[str, int]:
    """Segment → the offset up to which its records are in the log or in quarantine."""
    return dict(IntakeCursor.objects.values_list("segment", "offset"))


def note(places: Mapping[str, int], *, gone: Collection[str] = ()) -> None:
    """Set places in the caller's transaction, and forget segments whose files are gone (their names never return)."""
    if gone:
        IntakeCursor.objects.filter(segment__in=list(gone)).delete()
    IntakeCursor.objects.bulk_create(
        [IntakeCursor(segment=segment, offset=offset) for segment, offset in places.items()],
        update_conflicts=True,
        unique_fields=["segment"],
        update_fields=["offset"],
    )
