"""What the browser tests share: where the book is, and a page that keeps a diary."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"


@dataclass
class Reading:
    """One open page, and what went wrong on it."""

    page: Page
    base: str
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, name: str) -> Page:
        """Go to a page of the book and wait until its formulas stand."""
        self.page.goto(f"{self.base}/{name}", wait_until="load")
        self.page.wait_for_function(
            "() => !window.MathJax || window.MathJax.startup?.promise !== undefined"
        )
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        return self.page


@dataclass(frozen=True)
class Visit:
    """What one look at a page found, so that several tests share it."""

    elsewhere: list[str]
    complaints: list[str]
    text: str
    title: str
    formulas: int
    set_formulas: int
    wrong_formulas: int
    excess: int
    ids: frozenset[str]
    links: frozenset[str]


def visit(reading: Reading, name: str) -> Visit:
    """Open a page, read it, and then make the window as narrow as a phone."""
    page = reading.open(name)
    found = {
        # The search page has no article.
        "text": page.locator("main").inner_text(),
        "title": page.locator("main h1:visible").first.inner_text(),
        "formulas": page.locator(".math").count(),
        "set_formulas": page.locator("mjx-container").count(),
        "wrong_formulas": page.locator("mjx-merror").count(),
        "ids": frozenset(
            page.eval_on_selector_all("[id]", "nodes => nodes.map(n => n.id)")
        ),
        "links": frozenset(
            page.eval_on_selector_all("main a[href]", "nodes => nodes.map(n => n.href)")
        ),
    }
    page.set_viewport_size({"width": 390, "height": 844})
    excess = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return Visit(reading.elsewhere, reading.complaints, excess=excess, **found)
