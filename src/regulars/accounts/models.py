"""Staff, keys, the business's settings and the audit trail. Private to this app."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from regulars.accounts.capabilities import ROLES
from regulars.kernel import clock


class StaffManager(BaseUserManager["Staff"]):
    def get_by_natural_key(self, username: str | None) -> "Staff":
        return self.get(email__iexact=(username or "").strip())


class Staff(AbstractBaseUser):
    """A person who works in the console. Never deleted (the audit trail names them): made inactive."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=20, choices=[(key, text.en) for key, text in ROLES.items()])
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "email"
    objects: ClassVar[StaffManager] = StaffManager()


class WriteKey(models.Model):
    """Names a source of tracked events. Not a secret (it stands in web pages), so kept as it is."""

    key = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=clock.now)
    revoked_at = models.DateTimeField(null=True)


class ApiKey(models.Model):
    """A secret for the JSON API: only its SHA-256 is kept (256 random bits need no slow hash), and its beginning."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class Settings(models.Model):
    """The business in one row (id 1). `more` holds cut-offs and names of groups, validated by the service."""

    name = models.CharField(max_length=100)
    zone = models.CharField(max_length=50, default="Asia/Shanghai")
    currency = models.CharField(max_length=3, default="CNY")
    region = models.CharField(max_length=2, default="CN")
    more = models.JSONField(default=dict)
    version = models.IntegerField(default=1)


class AuditEntry(models.Model):
    """Who did what to what, when. Written in the transaction of the deed; never changed."""

    at = models.DateTimeField(default=clock.now, db_index=True)
    actor = models.CharField(max_length=40, db_index=True)
    action = models.CharField(max_length=60, db_index=True)
    object_kind = models.CharField(max_length=30, blank=True)
    object_id = models.CharField(max_length=60, blank=True)
    details: Any = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["object_kind", "object_id"])]


class LoginCount(models.Model):
    """Attempts to log in since the window began; `key` is a digest of the account, the place, or both."""

    key = models.CharField(max_length=70, primary_key=True)
    count = models.IntegerField()
    until = models.DateTimeField(db_index=True)
