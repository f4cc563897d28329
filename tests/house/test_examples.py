"""The integrations in examples/, run as they are, over a network that spoils their first requests."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from tests.house.conftest import ROOT, Server
from tests.house.tracked import Network

SCOPES = ("customers.view", "consent.edit", "tags.edit")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLASw"
CALLS = {
    "python": (
        "import json, shop, sys\nprint(json.dumps([row['name'] for row in shop.segment('stage:new', 1)]))",
        "import json, shop, sys\n"
        "for headers, body in json.load(sys.stdin):\n"
        "    try: print(shop.verified('SECRET', headers, body.encode())['n'])\n"
        "    except ValueError as fault: print(fault)",
    ),
    "javascript": (
        "import { segment } from './shop.mjs';\nconst names = [];\n"
        "for await (const row of segment('stage:new', 1)) names.push(row.name);\nconsole.log(JSON.stringify(names));",
        "import { readFileSync } from 'node:fs';\nimport { verified } from './shop.mjs';\n"
        "for (const [headers, body] of JSON.parse(readFileSync(0, 'utf8'))) {\n"
        "  try { console.log(verified('SECRET', headers, body).n); } catch (fault) { console.log(fault.message); }\n}",
    ),
}
PEOPLE = {"python": ("python-shop-1", "lin@example.com"), "javascript": ("node-shop-1", "chen@example.com")}


def example(language: str, code: str = "", given: str = "", **environment: str) -> str:
    """What the example prints; or what `code` prints that uses it."""
    if language == "javascript" and not shutil.which("node"):
        pytest.skip("no Node on this machine")
    command = {
        "python": [sys.executable, *(["-c", code] if code else ["shop.py"])],
        "javascript": ["node", *(["--input-type=module", "-e", code] if code else ["shop.mjs"])],
    }[language]
    done = subprocess.run(
        command, cwd=ROOT / "examples" / language, input=given, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def keys(server: Server) -> dict[str, str]:
    write = server.cli("key", "add", "Shop")
    api = server.cli("key", "add-api", "Shop", *(word for scope in SCOPES for word in ("--scope", scope)))
    assert (write.returncode, api.returncode) == (0, 0), write.stderr + api.stderr
    return {"WRITE_KEY": write.stdout.strip(), "API_KEY": api.stdout.strip()}


@pytest.fixture
def network(server: Server) -> Iterator[Network]:
    """Loses the answers to the batch and the consent, refuses the batch sent again, and the tag."""
    one = Network(server.port, ["dropped", "429", "pass", "dropped", "pass", "503"])
    yield one
    one.close()


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_shop_sends_reads_and_changes_over_a_bad_network(
    server: Server, keys: dict[str, str], network: Network, language: str
) -> None:
    user_id, email = PEOPLE[language]
    told = example(language, REGULARS_URL=network.url, **keys).splitlines()
    with httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {keys['API_KEY']}"}) as api:
        found = api.get("/customers/lookup", params={"kind": "user_id", "value": user_id}).json()
        events = api.get(f"/customers/{found['id']}/events").json()["data"]
        consents = api.get(f"/customers/{found['id']}/consents").json()
        members = len(api.get("/segments/stage:new/customers").json()["data"])
    assert told == [
        f"customer {found['id']}: 1 order(s), 88.00 net, stage new",
        "tags: tea lover",
        f"in stage new: {members}",
    ]
    assert network.plan == [] and network.spoilt == {"dropped": 2, "429": 1, "503": 1}
    assert {(row["kind"], row["value"]) for row in found["identities"]} == {("user_id", user_id), ("email", email)}
    assert (found["worth"]["orders"], found["worth"]["net"], found["tags"]) == (1, 8800, ["tea lover"])
    assert [(row["channel"], row["purpose"], row["given"], row["source"]) for row in consents] == [
        ("email", "marketing", True, "checkout form")
    ]
    names = [row["event"] for row in events]
    assert [names.count(name) for name in ("Order Completed", "Page Viewed", "Consent Given", "Tag Added")] == [1] * 4


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_shop_reads_a_segment_page_by_page(server: Server, keys: dict[str, str], language: str) -> None:
    with httpx.Client(base_url=server.url) as client:
        for who in ("a", "b", "c"):
            order = {"order_id": f"page {who}", "total": 1, "currency": "CNY"}
            sent = {
                "event": "Order Completed",
                "userId": f"page {who}",
                "messageId": f"page {who}",
                "properties": order,
            }
            assert client.post("/v1/track", json=sent, auth=(keys["WRITE_KEY"], "")).status_code == 200
    wait = "shop.wait_for_order('page {0}', 'page {0}')\n"
    example("python", "import shop\n" + "".join(wait.format(who) for who in "abc"), REGULARS_URL=server.url, **keys)
    read = json.loads(example(language, CALLS[language][0], REGULARS_URL=server.url, **keys))
    with httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {keys['API_KEY']}"}) as api:
        rows = api.get("/segments/stage:new/customers", params={"limit": 100}).json()["data"]
    assert len(rows) >= 3
    assert read == [row["name"] for row in rows]


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_shop_takes_webhooks_that_are_signed_and_refuses_others(language: str) -> None:
    now, body = datetime.now(UTC), '{"n": "客户"}'

    def headers(at: datetime, id: str = "msg_1", **other: str) -> dict[str, str]:
        signature = Webhook(SECRET).sign("msg_1", at, body)
        return {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature} | other

    good = headers(now)
    given = [
        (good, body),
        (good | {"webhook-signature": "v1,AAAA " + good["webhook-signature"]}, body),
        (good, body.replace("客户", "别人")),
        (headers(now, id="msg_2"), body),
        (headers(now - timedelta(minutes=6)), body),
        (good | {"webhook-signature": ""}, body),
        ({}, body),
    ]
    wrong, old = "The signature of the webhook is wrong.", "The webhook is too old, or its clock is wrong."
    told = example(language, CALLS[language][1].replace("SECRET", SECRET), json.dumps(given), PYTHONIOENCODING="utf-8")
    assert told.splitlines() == ["客户", "客户", wrong, wrong, old, wrong, old]


def test_the_examples_need_nothing_installed() -> None:
    python = (ROOT / "examples/python/shop.py").read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in python.splitlines() if line.startswith(("import", "from"))
    }
    assert imported <= sys.stdlib_module_names
    javascript = (ROOT / "examples/javascript/shop.mjs").read_text()
    assert all('from "node:' in line for line in javascript.splitlines() if line.startswith("import"))
    assert {path.name for path in Path(ROOT / "examples").iterdir()} >= {"README.md", "python", "javascript"}
