"""Unmodified tracking clients, as released, sending over a bad network to a server that gets killed: every event is
stored exactly once."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import rudderstack.analytics as rudder_python
import segment.analytics as segment_python

from tests.house.tracked import KEY, ROOT, Network, Server
from tools.chromium import executable

BAD = ["503", "pass", "dropped", "429", "lost", "pass", "dropped"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("tracked") / "home"
    home.mkdir()
    pause = threading.Event()

    def wait(condition: Callable[[], Any], seconds: float, what: str) -> None:
        for _ in range(int(seconds / 0.05)):
            if condition():
                return
            pause.wait(0.05)
        raise AssertionError(f"waited {seconds} s for {what}")

    one = Server(home, wait)
    one.start()
    yield one
    one.kill()


@pytest.fixture
def network(server: Server) -> Iterator[Callable[..., Network]]:
    made: list[Network] = []

    def make(plan: list[str]) -> Network:
        made.append(Network(server.port, plan))
        return made[-1]

    yield make
    for one in made:
        one.close()


def python_client(which: str, url: str) -> Any:
    options = {"host": url, "upload_size": 20, "upload_interval": 0.05, "max_queue_size": 100_000, "timeout": 60}
    module = {"segment": segment_python, "rudder": rudder_python}[which]
    return module.Client(KEY, max_retries=30, **options)


@pytest.mark.parametrize("which", ["segment", "rudder"])
def test_python_clients_through_a_bad_network_and_a_killed_server(
    server: Server, network: Any, wait_for: Any, which: str
) -> None:
    bad = network(list(BAD))
    failed: list[Any] = []
    client = python_client(which, bad.url)
    client.on_error = lambda error, batch: failed.append(error)
    for consumer in client.consumers:
        consumer.on_error = client.on_error
    ids = [f"{which}-{number}" for number in range(400)]
    for id in ids[:200]:
        client.track(f"{which}-user", "Coat Tried On", {"run": f"python {which}"}, message_id=id)
    wait_for(lambda: bad.posts >= 8, 60, "the first requests")
    server.kill()
    for id in ids[200:]:
        client.track(f"{which}-user", "Coat Tried On", {"run": f"python {which}"}, message_id=id)
    server.start()
    client.flush()
    wait_for(lambda: len([id for id in server.stored() if id in set(ids)]) == 400 or failed, 90, "all events")
    assert failed == []
    assert bad.spoilt == Counter(BAD) - Counter({"pass": 9})
    assert {id: count for id, count in server.stored().items() if id in set(ids)} == dict.fromkeys(ids, 1)
    assert server.events(f"python {which}") == {"Coat Tried On": 400}


SEGMENT_NODE = """
const { Analytics } = require('@segment/analytics-node')
const client = new Analytics({ writeKey: KEY, host: ADDRESS, maxRetries: 20, flushAt: 7, flushInterval: 50 })
client.on('error', e => console.error(e))
for (const event of EVENTS) client[event.call](event.message)
client.closeAndFlush({ timeout: 60000 })
"""
RUDDER_NODE = """
const Analytics = require('@rudderstack/rudder-sdk-node')
const client = new Analytics(KEY, { dataPlaneUrl: ADDRESS, flushAt: 7, flushInterval: 50, retryCount: 20 })
for (const event of EVENTS) client[event.call](event.message)
client.flush(() => {})
"""


@pytest.mark.parametrize(("which", "script"), [("segment", SEGMENT_NODE), ("rudder", RUDDER_NODE)])
def test_node_clients_through_a_bad_network(
    server: Server, network: Any, wait_for: Any, which: str, script: str
) -> None:
    bad = network(["503", "dropped", "pass", "429", "lost", "pass"])
    run = f"node {which}"
    tracked = [
        {"call": "track", "message": {"userId": "n1", "event": "Coat Tried On", "properties": {"run": run, "n": n}}}
        for n in range(60)
    ]
    others = [
        {"call": "identify", "message": {"userId": "n1", "traits": {"email": f"{which}@example.com", "name": "李雷"}}},
        {"call": "page", "message": {"anonymousId": "n2", "name": "Home", "properties": {"run": run}}},
        {"call": "screen", "message": {"userId": "n1", "name": "Cart", "properties": {"run": run}}},
        {"call": "group", "message": {"userId": "n1", "groupId": "g1", "traits": {"run": run}}},
        {"call": "alias", "message": {"userId": "n1", "previousId": "n2"}},
    ]
    before = sum(server.stored().values())
    head = f"const KEY={json.dumps(KEY)}, ADDRESS={json.dumps(bad.url)}, EVENTS={json.dumps(tracked + others)}\n"
    done = subprocess.run(["node", "-e", head + script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: sum(server.stored().values()) >= before + 65, 60, "all events")
    assert sum(bad.spoilt.values()) == 4
    assert sum(server.stored().values()) == before + 65
    assert set(server.stored().values()) == {1}
    assert server.events(run) == {
        "Coat Tried On": 60, "Page Viewed": 1, "Screen Viewed": 1, "Group Joined": 1,
    }  # fmt: skip


PAGES = {
    "segment": """<!doctype html><title>Shop</title><script src="/@segment/analytics-next/dist/umd/index.js"></script>
<script>
const client = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: KEY, cdnURL: ADDRESS }, OPTIONS)
window.begin = async () => {
  await client.page('Home', { run: RUN })
  await client.identify('b1', { email: 'segment@example.com' })
  for (let n = 0; n < 10; n++) client.track('Coat Tried On', { run: RUN, n })
  await client.group('g1', { run: RUN })
}
</script>""",
    "rudder": """<!doctype html><title>Shop</title>
<script src="/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"></script>
<script>
const client = new window.rudderanalytics.RudderAnalytics()
client.load(KEY, ADDRESS, { configUrl: ADDRESS, queueOptions: { minRetryDelay: 200, maxRetryDelay: 1000 }, ...OPTIONS })
window.begin = async () => {
  client.page('Home', { run: RUN })
  client.identify('b1', { email: 'rudder@example.com' })
  for (let n = 0; n < 10; n++) client.track('Coat Tried On', { run: RUN, n })
  client.group('g1', { run: RUN })
}
</script>""",
}
BATCHING = {
    "segment": {"integrations": {"Segment.io": {"deliveryStrategy": {"strategy": "batching", "config": {"size": 3}}}}},
    "rudder": {"queueOptions": {"batch": {"enabled": True, "maxItems": 3, "flushInterval": 300}, "minRetryDelay": 200}},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        one = play.chromium.launch(
            executable_path=executable(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield one
        one.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """The shop's own web server, which isn't ours: requests to ours cross origins."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    for folder in ("@segment", "@rudderstack"):
        (tmp_path / folder).symlink_to(ROOT / "node_modules" / folder)
    shop = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=shop.serve_forever, daemon=True).start()

    def publish(page: str) -> str:
        (tmp_path / "index.html").write_text(page)
        return f"http://localhost:{shop.server_address[1]}/"

    yield publish
    shop.shutdown()
    shop.server_close()


@pytest.mark.browser
@pytest.mark.parametrize("batching", [False, True])
@pytest.mark.parametrize("which", ["segment", "rudder"])
def test_browser_clients_through_a_bad_network(
    server: Server, network: Any, wait_for: Any, browser: Any, site: Any, which: str, batching: bool
) -> None:
    bad = network(["pass", "503"] if which == "segment" else ["503", "pass", "dropped"])
    run = f"browser {which} {batching}"
    options = json.dumps(BATCHING[which] if batching else {})
    values = f"<script>const KEY='{KEY}', ADDRESS='{bad.url}', RUN='{run}', OPTIONS={options}</script>"
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site(values + PAGES[which]))
    before = sum(server.stored().values())
    page.evaluate("window.begin()")
    expected = {"Coat Tried On": 10, "Page Viewed": 1, "Group Joined": 1}
    wait_for(lambda: page.wait_for_timeout(50) or server.events(run) == expected, 60, f"all events; {said}")
    wait_for(lambda: sum(server.stored().values()) == before + 13, 30, "the identify call")
    assert set(server.stored().values()) == {1}
    assert sum(bad.spoilt.values()) == len([fate for fate in ("503", "dropped") if bad.spoilt[fate]])
    page.close()


def test_nothing_that_clients_sent_was_put_aside(server: Server) -> None:
    assert server.quarantined() == 0
