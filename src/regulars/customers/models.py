"""Records, what identifies them, how they were merged, and what was agreed with, said of and noted about them.

Private to this app. A *record* is what identities belong to; a *customer* is the root of a tree of merged records.
Everything stays with the record it was made for; `merged_into` and `root_id` are all that a merge changes.
"""

from typing import Any

from django.db import models

from regulars.kernel import clock


class Store(models.Model):
    """A place of the business; `code` is what events and files call it."""

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=100, blank=True)


class Customer(models.Model):
    """A record. The fields that are shown (name … custom, known) hold, on a root, what is folded from all its records;
    `facts` is what this record itself was told: {field: [value, µs]}.
    """

    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    root_id = models.BigIntegerField(db_index=True)
    facts: Any = models.JSONField(default=dict)
    name = models.CharField(max_length=200, blank=True)
    name_key = models.CharField(max_length=200, blank=True, db_index=True)
    name_rest = models.CharField(max_length=200, blank=True, db_index=True)  # see profiles.name_rest
    birthday = models.DateField(null=True)
    gender = models.CharField(max_length=10, blank=True)
    city = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=20, blank=True)
    home_store = models.ForeignKey(Store, models.PROTECT, null=True, related_name="+")
    custom: Any = models.JSONField(default=dict)
    known = models.BooleanField(default=False)
    identified_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)


class LastFour(models.Func):
    """The last four characters, in the words in which both databases know their index again."""

    template = "substr(%(expressions)s, -4)"
    output_field = models.CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(compiler, connection, template="right(%(expressions)s, 4)", **more)


class Identity(models.Model):
    """`seen_with`: kind → ids of the identities it came together with, one more than allowed at most. A `shared` one
    decides nothing; what comes with it alone goes to the record `apart`. `settled`: a person has looked at it. `by`:
    who added it by hand or in a file; "" for what came with events.
    """

    kind = models.CharField(max_length=30)
    value = models.CharField(max_length=254)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    first_seen = models.DateTimeField()
    seen_with: Any = models.JSONField(default=dict)
    shared = models.BooleanField(default=False)
    flagged_at = models.DateTimeField(null=True)
    settled = models.BooleanField(default=False)
    apart = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="+")
    by = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="customers_identity_once")]
        indexes = [
            models.Index(fields=["flagged_at"], condition=models.Q(shared=True), name="customers_shared"),
            models.Index(LastFour("value"), name="customers_last_four"),
        ]


class ErasedIdentity(models.Model):
    """That an identity was erased, so that what comes late of the time before doesn't bring the person back. `digest`
    is an HMAC under this installation's secret: it tells nobody who it was, but whether a given identity is it.
    """

    digest = models.CharField(max_length=64, unique=True)
    record_id = models.BigIntegerField()
    erased_at = models.DateTimeField()


class Generation(models.Model):
    """One row (id 1): changes whenever what an identity leads to may have changed, so that nobody trusts memory.
    `erased_at` is when somebody was last erased: only what is older can be of the erased.
    """

    value = models.CharField(max_length=32)
    erased_at = models.DateTimeField(null=True)


class Merge(models.Model):
    """`source` (a root then) was put under `target`. `fields` are the facts chosen by hand, which count as long as it
    isn't undone; `grounds` says what it rests on: {"kind", "identity"} of the event that made it, or nothing.
    """

    source = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    target = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    automatic = models.BooleanField(default=False)
    grounds: Any = models.JSONField(default=dict)
    fields: Any = models.JSONField(default=dict)
    by = models.CharField(max_length=40)
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source"], condition=models.Q(undone_at=None), name="customers_merged_into_one"
            )
        ]


class ProfileChange(models.Model):
    """What somebody changed in a profile by hand, to show and to undo it. {field: fact or null} before and after."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    before: Any = models.JSONField()
    after: Any = models.JSONField()
    by = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now)
    undone_at = models.DateTimeField(null=True)


class Consent(models.Model):
    """One entry in the history of what a person agreed to; the latest that isn't undone is how it stands."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=20)
    purpose = models.CharField(max_length=40)
    given = models.BooleanField()
    source = models.CharField(max_length=100, blank=True)
    by = models.CharField(max_length=40)
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)


class Tag(models.Model):
    """`key` is the name without case and width."""

    name = models.CharField(max_length=50)
    key = models.CharField(max_length=50, unique=True)


class Tagging(models.Model):
    tag = models.ForeignKey(Tag, models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    by = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "customer"], name="customers_tagged_once")]


class Note(models.Model):
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    text = models.TextField()
    by = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now)
    deleted_at = models.DateTimeField(null=True)


class Removed(models.Model):
    """What was taken off a record lately, so that an undo puts back exactly that, with the record it was of: the
    columns of a tagging or an identity. What went in one go has one `removal`.
    """

    removal = models.CharField(max_length=32, db_index=True)
    what = models.CharField(max_length=10)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    kept: Any = models.JSONField()
    by = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now, db_index=True)
