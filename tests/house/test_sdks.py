"""Unmodified tracking clients, as released, sending over a bad network to a server that gets killed: every event is
stored exactly once and reaches the customer's page."""

import atexit
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

# After each fault something passes: it is one request that has it, and pauses stay short.
BAD = ["503", "pass", "dropped", "pass", "429", "pass", "lost", "pass", "killed"]
EACH = 60  # events before the server is killed, and as many while it is away
EACH_PAGE = 10


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


class Client:
    """One that tracks: `begin` sends the first half, `go_on` the second and the end. All of what it tracks is "Coat
    Tried On" by `user`.
    """

    sent: int  # how many "Coat Tried On" by now
    others = 0  # other messages
    failed: list[Any]

    def __init__(self, name: str, network: Network) -> None:
        self.name, self.user, self.network = name, f"user of {name}", network
        self.failed = []

    def stop(self) -> None:
        """Whatever became of it."""


class Python(Client):
    def begin(self) -> None:
        module = {"python segment": segment_python, "python rudder": rudder_python}[self.name]
        self.client = module.Client(
            KEY, max_retries=30, host=self.network.url, upload_size=10, upload_interval=0.05, max_queue_size=100_000,
            timeout=60, on_error=lambda error, batch: self.failed.append(error),
        )  # fmt: skip
        self.track()
        self.sent = EACH

    def track(self) -> None:
        for _ in range(EACH):
            self.client.track(self.user, "Coat Tried On", {"run": self.name})

    def go_on(self) -> None:
        self.track()
        self.sent += EACH

    def end(self) -> None:
        self.client.join()

    def stop(self) -> None:
        atexit.unregister(self.client.join)
        for consumer in self.client.consumers:
            consumer.pause()


NODE = {
    "node segment": """
const { Analytics } = require('@segment/analytics-node')
const client = new Analytics({ writeKey: KEY, host: ADDRESS, maxRetries: 20, flushAt: 7, flushInterval: 50 })
client.on('error', e => console.error(e))
const end = () => client.closeAndFlush({ timeout: 60000 })
""",
    "node rudder": """
const Analytics = require('@rudderstack/rudder-sdk-node')
const client = new Analytics(KEY, { dataPlaneUrl: ADDRESS, flushAt: 7, flushInterval: 50, retryCount: 20 })
const end = () => client.flush(() => {})
""",
}
NODE_SENDS = """
const track = () => { for (let n = 0; n < EACH; n++)
  client.track({ userId: USER, event: 'Coat Tried On', properties: { run: RUN, n } }) }
track()
process.stdin.once('data', () => {
  track()
  client.identify({ userId: USER, traits: { email: 'li@example.com', name: '李雷' } })
  client.page({ anonymousId: 'n2', name: 'Home', properties: { run: RUN } })
  client.screen({ userId: USER, name: 'Cart', properties: { run: RUN } })
  client.group({ userId: USER, groupId: 'g1', traits: { run: RUN } })
  client.alias({ userId: USER, previousId: 'n2 of ' + USER })
  process.stdin.pause()
  end()
})
"""


class Node(Client):
    others = 5

    def begin(self) -> None:
        values = {"KEY": KEY, "ADDRESS": self.network.url, "USER": self.user, "RUN": self.name, "EACH": EACH}
        script = "".join(f"const {name} = {json.dumps(value)}\n" for name, value in values.items())
        self.process = subprocess.Popen(
            ["node", "-e", script + NODE[self.name] + NODE_SENDS], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.sent = EACH

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("more\n")
        self.process.stdin.flush()
        self.sent += EACH

    def end(self) -> None:
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said

    def stop(self) -> None:
        self.process.kill()


PAGES = {
    "segment": """<!doctype html><title>Shop</title><script src="/@segment/analytics-next/dist/umd/index.js"></script>
<script>const client = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: KEY, cdnURL: ADDRESS }, OPTIONS)</script>""",
    "rudder": """<!doctype html><title>Shop</title>
<script src="/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"></script>
<script>
const client = new window.rudderanalytics.RudderAnalytics()
client.load(KEY, ADDRESS, { configUrl: ADDRESS, queueOptions: { minRetryDelay: 200, maxRetryDelay: 1000 }, ...OPTIONS })
</script>""",
}
PAGE_SENDS = """<script>
let sent = 0, timer
const track = () => client.track('Coat Tried On', { run: RUN, n: sent++ })
window.begin = async () => {
  await client.identify(USER, { email: 'li@example.com' })
  client.page('Home', { run: RUN })
  timer = setInterval(track, 50)  // one after the other: what waits together goes in one request
}
window.goOn = () => {
  clearInterval(timer)
  for (let n = 0; n < EACH; n++) track()
  client.group('g1', { run: RUN })
  return sent
}
</script>"""
BATCHING = {
    "segment": {"integrations": {"Segment.io": {"deliveryStrategy": {"strategy": "batching", "config": {"size": 3}}}}},
    "rudder": {"queueOptions": {"batch": {"enabled": True, "maxItems": 3, "flushInterval": 300}, "minRetryDelay": 200}},
}


class Page(Client):
    others = 3

    def __init__(self, name: str, network: Network, browser: Any, site: Callable[[str, str], str]) -> None:
        super().__init__(name, network)
        _, which, *batching = name.split()
        values = {
            "KEY": KEY, "ADDRESS": network.url, "USER": self.user, "RUN": name, "EACH": EACH_PAGE,
            "OPTIONS": BATCHING[which] if batching else {},
        }  # fmt: skip
        said = "".join(f"const {name} = {json.dumps(value)}\n" for name, value in values.items())
        self.page = browser.new_context().new_page()  # what waits to be sent is kept by each for itself
        self.refused: list[Any] = []
        self.page.on("requestfailed", lambda request: self.refused.append(request.failure))
        self.page.goto(site(name, f"<script>{said}</script>" + PAGES[which] + PAGE_SENDS))

    def begin(self) -> None:
        self.page.evaluate("window.begin(); 0")

    def go_on(self) -> None:
        self.sent = self.page.evaluate("window.goOn()")

    def end(self) -> None:
        self.page.context.close()


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
def site(tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """The shop's own web server, which isn't ours: requests to ours cross origins."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    for folder in ("@segment", "@rudderstack"):
        (tmp_path / folder).symlink_to(ROOT / "node_modules" / folder)
    shop = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=shop.serve_forever, daemon=True).start()

    def publish(name: str, page: str) -> str:
        (tmp_path / f"{name}.html").write_text(page)
        return f"http://localhost:{shop.server_address[1]}/{name}.html"

    yield publish
    shop.shutdown()
    shop.server_close()


@pytest.mark.browser
@pytest.mark.timeout(400)
def test_every_event_is_stored_once_and_on_the_page_of_its_customer_whatever_happens_on_the_way(
    server: Server, network: Any, wait_for: Any, browser: Any, site: Any
) -> None:
    """All at once: each meets every fault, has a request under way when the whole server is killed, sends on while
    nobody listens, and gets to the end.
    """
    clients: list[Any] = [
        *(Python(f"python {which}", network(list(BAD))) for which in ("segment", "rudder")),
        *(Node(name, network(list(BAD))) for name in NODE),
        *(
            Page(f"browser {which}{batching}", network(list(BAD)), browser, site)
            for which in PAGES
            for batching in ("", " batching")
        ),
    ]
    try:
        through_it_all(server, clients, wait_for)
    finally:
        for client in clients:
            client.stop()
    assert server.quarantined() == 0, "nothing that clients sent was put aside"


def through_it_all(server: Server, clients: list[Any], wait_for: Any) -> None:
    pages = [client for client in clients if isinstance(client, Page)]

    def turn() -> None:
        pages[0].page.wait_for_timeout(20)

    for client in clients:
        client.begin()

    class Plans:
        def __str__(self) -> str:
            return f"every client to meet all of {[(one.name, one.network.posts, one.network.plan) for one in clients]}"

    wait_for(lambda: turn() or all(one.network.reached.is_set() for one in clients), 30, Plans())
    server.kill()
    for client in clients:
        client.network.refuse()
        client.go_on()
    wait_for(
        lambda: turn() or all("net::ERR_CONNECTION_REFUSED" in page.refused for page in pages),
        60,
        "connections to be refused",
    )
    for client in clients:
        client.network.listen()  # not for as long as the server takes: pauses grow
    server.start()
    total = sum(client.sent + client.others for client in clients)
    wait_for(lambda: turn() or sum(server.stored().values()) >= total, 120, f"all of {total} events")
    for client in clients:
        client.end()
    stored = server.stored()
    assert set(stored.values()) == {1}
    assert sum(stored.values()) == total
    for client in clients:
        assert client.failed == []
        assert (client.network.plan, client.network.spoilt) == ([], Counter(set(BAD) - {"pass"}))
        assert server.events(client.name)["Coat Tried On"] == client.sent

        def shown(client: Client = client) -> list[str]:
            return server.timeline(client.user, "Coat Tried On")

        wait_for(lambda shown=shown, client=client: len(shown()) >= client.sent, 60, f"the page of {client.user}")
        ids = shown()
        assert len(ids) == len(set(ids)) == client.sent
        assert set(ids) <= set(stored)
