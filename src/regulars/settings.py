"""Django's settings. All state lives in one data folder, REGULARS_HOME; several run side by side on one machine.

What an owner may change at run time (name, zone, currency, cut-offs) isn't here but in accounts' business settings.
Every variable read from the environment is listed in docs/settings.md.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HOME = Path(os.environ.get("REGULARS_HOME", "data")).resolve()
HOME.mkdir(parents=True, exist_ok=True)
ROOT = Path(__file__).parent
MODULES = Path(os.environ.get("REGULARS_NODE_MODULES", ROOT.parent.parent / "node_modules"))


def _secret() -> str:
    """The key that signs sessions and links: made once, readable by the owner of the folder only."""
    path = HOME / "secret.key"
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    fresh = secrets.token_urlsafe(48)
    half = path.with_suffix(f".{os.getpid()}.half")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())  # or a power cut leaves an empty file behind
    try:
        if path.exists():  # and is empty
            half.replace(path)
        else:
            os.link(half, path)  # the first of two that start at once wins
    except FileExistsError:
        fresh = path.read_text()
    half.unlink(missing_ok=True)
    return fresh


def database(url: str) -> dict[str, Any]:
    """SQLite in the data folder, or what REGULARS_DATABASE_URL names: postgresql://user:password@host:port/name."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME / "regulars.sqlite3",
            "CONN_MAX_AGE": None,  # the threads of serve stay, and so do their connections
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                # FULL: an event is acknowledged by other means, but a change of the console has to survive a power cut.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
                "PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY; PRAGMA fullfsync=ON;"  # the last is for macOS
                # Pages that every batch of intake touches go from the log into the database once for many batches.
                "PRAGMA wal_autocheckpoint=8000;"
                # All our checks say that JSON is JSON. It comes out of an encoder; to parse it again for that costs a
                # fifth of what it takes to insert an event.
                "PRAGMA ignore_check_constraints=ON;",
            },
            "TEST": {"NAME": os.environ.get("REGULARS_TEST_DATABASE") or None},
        }
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": parts.port or "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A session that died with its machine shouldn't hold its locks (wiring.turns, warehouse.lake.changes) for the
        # hours of the default, nor, with an answer under way to it, for the quarter of an hour that TCP tries. One that
        # waits for a lock looks whether its client lives, so that nobody dead is ever given it.
        "OPTIONS": {
            "options": "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
            "-c tcp_user_timeout=30000 -c client_connection_check_interval=5000",
            "tcp_user_timeout": 30_000,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            **query,
        },
    }


LAKE = Path(os.environ["REGULARS_LAKE"]).resolve() if os.environ.get("REGULARS_LAKE") else None
SPARK = os.environ.get("REGULARS_SPARK", "")
SPARK_LAKE = os.environ.get("REGULARS_SPARK_LAKE", "")
if LAKE and not os.environ.get("REGULARS_DATABASE_URL", "").startswith("postgres"):
    raise SystemExit(
        "REGULARS_LAKE needs PostgreSQL: set REGULARS_DATABASE_URL too (docs/scaling.md).\n"
        "REGULARS_LAKE 需要 PostgreSQL：请同时设置 REGULARS_DATABASE_URL（见 docs/scaling.md）。"
    )

SECRET_GIVEN = os.environ.get("REGULARS_SECRET", "")
SECRET_KEY = SECRET_GIVEN or _secret()
FILES = os.environ.get("REGULARS_FILES", "")  # where uploads and exports are if not in HOME
DEBUG = False
ALLOWED_HOSTS = os.environ.get("REGULARS_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
PUBLIC_URL = os.environ.get("REGULARS_URL", "")
TRACK_RATE = float(os.environ.get("REGULARS_TRACK_RATE", "0"))  # events a second for each write key; 0 is no limit
API_RATE = int(os.environ.get("REGULARS_API_RATE", "600"))  # requests a minute for each API key; 0 is no limit
WEBHOOKS_PRIVATE = os.environ.get("REGULARS_WEBHOOKS_PRIVATE") == "1"  # also to http:// and private addresses
SECURE = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "ninja",
    "django_tasks",
    "django_tasks_db",
    "regulars.accounts",
    "regulars.jobs",
    "regulars.eventlog",
    "regulars.customers",
    "regulars.warehouse",
    "regulars.imports",
    "regulars.webhooks",
    "regulars.console",
    "regulars.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "regulars.console.middleware.language",
    "regulars.api.middleware.door",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "regulars.console.middleware.faults",
]

# What the doors keep of people, for wiring, which lies below them: by name, as the middleware above is.
ERASED_IN_DOORS = ["regulars.api.kept.erase", "regulars.console.erasing.erase"]  # (Person) → rows that went
TIDIED_IN_DOORS = ["regulars.api.kept.forget"]

ROOT_URLCONF = "regulars.urls"
SILENCED_SYSTEM_CHECKS = ["urls.W002"]  # addresses have no slash at their end, so those below an area begin with one
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "regulars.console.context.frame",
            ],
        },
    },
]

DATABASES = {"default": database(os.environ.get("REGULARS_DATABASE_URL", ""))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.Staff"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
CSRF_FAILURE_VIEW = "regulars.console.frame.views.csrf_failed"

SESSION_COOKIE_NAME = "regulars_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_AGE = 14 * 86_400
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LANGUAGE_COOKIE_NAME = "regulars_language"
LOCALE_PATHS = [ROOT / "console" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [
    ("tabler", MODULES / "@tabler" / "core" / "dist"),
    ("icons", MODULES / "@tabler" / "icons-sprite" / "dist"),
    ("htmx", MODULES / "htmx.org" / "dist"),
    ("echarts", MODULES / "echarts" / "dist"),
]
STATICFILES_DIRS = [(name, folder) for name, folder in STATICFILES_DIRS if folder.is_dir()]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("REGULARS_LOG", "WARNING")},
    "loggers": {
        "regulars": {"level": os.environ.get("REGULARS_LOG", "INFO")},
        "sqlglot": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # a stack trace for whatever strangers ask for
    },
}
