"""The built book, served on localhost, and a browser that may go nowhere else.

Needs `_build/html` (nox -s book) and a Chromium. `SXLIT_CHROMIUM` names its executable;
otherwise `chromium`, `chromium-browser` or `google-chrome` is looked up on PATH.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Route, sync_playwright
from reader import SITE, Reading, Visit, visit

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a failing test names the address itself."""


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """The address of the built book."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"expected a built book in {SITE}, found none: run `nox -s book`")
    handler = partial(_Quiet, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, the machine's own."""
    path = os.environ.get("SXLIT_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if path is None:
        pytest.fail(
            f"expected a Chromium ({', '.join(NAMES)}) on PATH, found none: install it "
            "(Debian: apt install chromium) or set SXLIT_CHROMIUM"
        )
    with sync_playwright() as playwright:
        # Playwright gives each launch a fresh profile.
        browser = playwright.chromium.launch(
            executable_path=path, args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@contextmanager
def open_window(browser: Browser, base: str) -> Iterator[Reading]:
    """A page that notes every request to another host, and every complaint."""
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        reading = Reading(context.new_page(), base)

        def stay_here(route: Route) -> None:
            url = route.request.url
            if url.startswith((base + "/", "data:", "blob:")):
                route.continue_()
            else:
                reading.elsewhere.append(url)
                route.abort()

        def complain(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                reading.complaints.append(message.text)

        context.route("**/*", stay_here)
        reading.page.on("console", complain)
        reading.page.on(
            "pageerror", lambda error: reading.complaints.append(str(error))
        )
        yield reading


@pytest.fixture
def reading(browser: Browser, base: str) -> Iterator[Reading]:
    """A window of one's own."""
    with open_window(browser, base) as reading:
        yield reading


@pytest.fixture(scope="session")
def visited(browser: Browser, base: str) -> Callable[[str], Visit]:
    """What a look at a page finds; each page is looked at once."""

    @cache
    def look(name: str) -> Visit:
        with open_window(browser, base) as reading:
            return visit(reading, name)

    return look
