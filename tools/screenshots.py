"""Takes a picture of every page: for the admin in both languages, light and dark, desktop and phone; for the other
roles what each of them reaches, once.

    make screenshots                        all of them into screenshots/VARIANT and screenshots/VARIANT-ROLE
    python -m tools.screenshots --only customers --variant en-light-desktop --base http://127.0.0.1:8000

Without --base it serves a small demo world of its own; a server at --base has to show a demo too, for its staff. A page that answers with an error, asks for something outside
or writes an error into the browser's log is a fault, told at the end with exit code 1. It never follows a link that
changes something: pages are those of the navigation and what they link to with GET, one of each kind.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tools.chromium import executable

ROOT = Path(__file__).parents[1]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1360, 850), "phone": (390, 844)}
VARIANTS = [f"{language}-{theme}-{size}" for language in ("zh", "en") for theme in ("light", "dark") for size in SIZES]
ROLES = {"manager": "zh-light-desktop", "marketer": "en-light-desktop", "agent": "zh-light-phone",
         "store": "en-light-phone", "analyst": "en-dark-desktop"}  # fmt: skip
"""What the other roles are pictured in. Their names in a demo are theirs at example.com."""
PATIENCE = 90_000  # milliseconds for a page: machines are busy
NEVER = re.compile(r"/(logout|static|api|v1)\b|\.csv|download|export")


def kind(path: str) -> str:
    """Addresses that differ by an id, a key or the query show the same page."""
    path = re.sub(r"[0-9a-f]{16,}", "X", path.split("?")[0])
    return re.sub(r"/events/(?!catalogue|quarantine|subscribers)[^/]+$", "/events/X", re.sub(r"/\d+", "/N", path))


def login(page: Page, base: str, email: str, password: str) -> None:
    page.goto(f"{base}/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("main .btn-primary")
    page.wait_for_url(lambda url: "/login" not in url)


def pages(page: Page, base: str) -> dict[str, str]:
    """One address of each kind that can be reached, by kind."""
    found: dict[str, str] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop(0)
        if kind(path) in found:
            continue
        answer = page.goto(base + path, wait_until="load")
        found[kind(path)] = path
        if answer is None or answer.status >= 400:
            continue
        links = page.eval_on_selector_all(
            "a[href], tr[data-href]", "all => all.map(a => a.getAttribute('href') || a.dataset.href)"
        )
        for link in links:
            if link and link.startswith("/") and not link.startswith("//") and not NEVER.search(link):
                waiting.append(link.split("#")[0])
    found["/api/docs"] = "/api/docs"
    page.goto(f"{base}/customers", wait_until="load")
    people = page.eval_on_selector_all("tr[data-href]", "all => all.map(a => a.dataset.href)")
    if len(people) > 1 and "/customers/N/merge" in found:
        found["/customers/N/merge/preview"] = f"{people[0]}/merge?with={people[1].rsplit('/', 1)[-1]}"
    return found


def served() -> tuple[subprocess.Popen[bytes], str]:
    """A server over a small demo world."""
    home = tempfile.mkdtemp(prefix="regulars-pictures-")
    environment = os.environ | {"REGULARS_HOME": home, "PYTHONPATH": str(ROOT / "src")}
    program = [sys.executable, "-m", "regulars", "--home", home]
    subprocess.run([*program, "demo", "--customers", "2000"], check=True, env=environment)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([*program, "serve", "--port", str(port)], env=environment)
    base = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{base}/login", timeout=5).read()
            return server, base
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server didn't answer")


def pictures(
    browser: Browser, base: str, variant: str, *, email: str, password: str, folder: Path, only: str,
    found: dict[str, str] | None = None,
) -> tuple[dict[str, str], list[str]]:  # fmt: skip
    """Pictures of the pages `found`, or of those that are found, with what is wrong with them."""
    faults: list[str] = []
    language, theme, size = variant.split("-")
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="zh-CN" if language == "zh" else "en-GB",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    context.add_cookies(
        [
            {"name": "regulars_theme", "value": theme, "url": base},
            {"name": "regulars_language", "value": "zh-hans" if language == "zh" else "en", "url": base},
        ]
    )
    page = context.new_page()

    def note(what: object) -> None:
        faults.append(f"{folder.name} {page.url.removeprefix(base)}: {what}")

    page.on("console", lambda message: note(message.text) if message.type == "error" else None)
    page.on("pageerror", note)
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((base, "data:", "blob:")) else note(f"asked for {asked.url}"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    page.goto(f"{base}/login", wait_until="load")
    page.screenshot(path=folder / "login.png", full_page=True)
    login(page, base, email, password)
    found = found or pages(page, base)
    for name, path in sorted(found.items()):
        if only not in name:
            continue
        answer = page.goto(base + path, wait_until="load")  # live events never fall silent
        if answer is None or answer.status >= 400:
            note(answer and answer.status)
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            note("wider than the window")
        page.screenshot(path=folder / f"{name.strip('/').replace('/', '_') or 'overview'}.png", full_page=True)
    context.close()
    return found, faults


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--base")
    asked.add_argument("--only", default="", help="pages whose address has this in it")
    asked.add_argument("--variant", action="append", choices=VARIANTS, help="these alone, and no other role")
    asked.add_argument("--email", default="demo@example.com")
    asked.add_argument("--password", default="demo-regulars")
    asked.add_argument("--to", default="screenshots", type=Path)
    given = asked.parse_args()
    server, base = (None, given.base.rstrip("/")) if given.base else served()
    faults: list[str] = []
    taken = 0
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=executable(), args=ARGUMENTS)
            found: dict[str, str] = {}
            for variant in given.variant or VARIANTS:
                found, wrong = pictures(
                    browser, base, variant, email=given.email, password=given.password,
                    folder=given.to / variant, only=given.only, found=found,
                )  # fmt: skip
                faults += wrong
                taken += sum(given.only in name for name in found)
            for role, variant in () if given.variant else ROLES.items():
                reached, wrong = pictures(
                    browser, base, variant, email=f"{role}@example.com", password=given.password,
                    folder=given.to / f"{variant}-{role}", only=given.only,
                )  # fmt: skip
                faults += wrong
                taken += sum(given.only in name for name in reached)
            browser.close()
    finally:
        if server:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
    faults = list(dict.fromkeys(faults))
    print("\n".join([*faults, f"{taken} pictures, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
