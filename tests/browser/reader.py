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
