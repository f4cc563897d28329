"""What every test may use: a data folder of its own, the clock, people with roles, and a condition to wait for.

The database is SQLite, or the PostgreSQL that REGULARS_TEST_POSTGRES=1 starts from the wheel.
"""

import atexit
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The hundreds of processes that tests start find their modules compiled, whatever this machine says: half a second each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
_home = Path(tempfile.mkdtemp(prefix=f"regulars-test-{_worker}-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["REGULARS_HOME"] = str(_home / "home")
os.environ.setdefault("REGULARS_NODE_MODULES", str(Path(__file__).parents[1] / "node_modules"))
os.environ["REGULARS_TEST_DATABASE"] = str(_home / "test.sqlite3")  # a file: threads and processes share it
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
if os.environ.get("REGULARS_TEST_POSTGRES"):
    from tests import postgres

    os.environ["REGULARS_DATABASE_URL"] = postgres.started(_home / "postgres")

# Here and not in pyproject.toml: pytest-django would load the settings before this file has said where they lie.
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"

import django  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402
from django.conf import settings  # noqa: E402

# Static files are looked for when they are asked for, not all of them whenever a test makes a client.
settings.WHITENOISE_AUTOREFRESH = True
django.setup()

# The same examples in every run of CI: what is random is explored by people, in long runs, where a find costs nothing.
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True, scope="session")
def _cheap_hashes() -> None:
    """The same hasher with less work: nearly every test makes people."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = 1, 512


@pytest.fixture(autouse=True)
def _in_chinese() -> None:
    """Every test begins in the language of the default, whatever the one before it spoke."""
    from django.utils import translation

    from regulars.kernel import languages

    languages.use("zh-hans")
    translation.activate("zh-hans")


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """`wait_for(condition, seconds, what)`: until it holds, or fail saying what was waited for."""

    def wait(condition: Callable[[], Any], seconds: float = 30.0, what: str = "a condition") -> None:
        end = time.monotonic() + seconds
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            pause.wait(0.02)

    return wait


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A fresh data folder for this test."""
    folder = tmp_path / "home"
    folder.mkdir()
    settings.HOME = folder
    yield folder


@pytest.fixture(scope="session", params=["sail", "spark"])
def spark_connect(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Spark Connect server: Sail's, and that of a real Spark where one runs."""
    if request.param == "spark":
        address = os.environ.get("REGULARS_TEST_SPARK")
        if not address:
            pytest.skip(
                "REGULARS_TEST_SPARK names no Spark: run `make spark` (it installs one, starts it and runs these tests on it)"
            )
        yield address
        return
    import pysail.spark as pysail  # of the development packages: where it is missing, tests fail

    server = pysail.SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    yield f"sc://{host}:{port}"
    server.stop()


@pytest.fixture
def people(db: None) -> dict[str, Any]:
    """One active member of staff of each role, by role; everybody's password is "correct horse battery"."""
    from regulars.accounts import services
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.capabilities import ROLES

    return {
        role: services.add_staff(
            email=f"{role}@example.com",
            name=role.capitalize(),
            role=role,
            password="correct horse battery",
            by=SYSTEM,
        )
        for role in ROLES
    }


@pytest.fixture
def actors(people: dict[str, Any]) -> dict[str, Any]:
    """An Actor of each role, by role."""
    from regulars.accounts.queries import actor_of

    return {role: actor_of(staff) for role, staff in people.items()}
