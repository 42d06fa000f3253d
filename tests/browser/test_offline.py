"""The built book in a browser: nothing from elsewhere, and everything in working order.

Run after `nox -s book`; the screenshots go to `_build/screenshots`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect
from reader import SCREENSHOTS, SITE, Reading

PAGES = sorted(path.name for path in SITE.glob("*.html"))
CHAPTERS = [name for name in PAGES if re.match(r"(\d+|[A-Z])_", name)]
CHAPTER_3 = "03_floating_point.html"


def test_there_are_pages() -> None:
    assert len(CHAPTERS) >= 7


@pytest.mark.parametrize("name", PAGES)
def test_page_reads_without_a_network(reading: Reading, name: str) -> None:
    page = reading.open(name)
    assert reading.elsewhere == []
    assert reading.complaints == []
    assert page.locator("mjx-merror").count() == 0
    formulas = page.locator(".math").count()
    if formulas:
        assert page.locator("mjx-container").count() >= formulas


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_says_its_number_and_no_directive(reading: Reading, name: str) -> None:
    article = reading.open(name).locator("article")
    number = name.split("_")[0].lstrip("0")
    kind = "Chapter" if number.isdigit() else "Appendix"
    expect(article.locator("h1").first).to_contain_text(f"{kind} {number}")
    assert "#|" not in article.inner_text()


def test_light_and_dark(reading: Reading) -> None:
    page = reading.open("intro.html")
    button = page.locator(".theme-switch-button").locator("visible=true").first
    seen = set()
    for _ in range(3):
        button.click()
        theme = page.locator("html").get_attribute("data-theme")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        seen.add((theme, ground))
    assert {theme for theme, _ in seen} == {"light", "dark"}
    assert len({ground for _, ground in seen}) == 2


def test_a_folded_solution_opens(reading: Reading) -> None:
    page = reading.open(CHAPTER_3)
    solution = page.locator("div.solution.dropdown").first
    content = solution.locator("section, p:not(.admonition-title)").first
    expect(content).to_be_hidden()
    solution.locator("button.toggle-button").click()
    expect(content).to_be_visible()


def test_a_docstring_unfolds(reading: Reading) -> None:
    page = reading.open(CHAPTER_3)
    fold = page.locator("#cell-3-row-state details.sxlit-docstring").first
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    assert fold.get_attribute("open") is not None


def test_the_copy_button_takes_the_whole_cell(reading: Reading) -> None:
    page = reading.open(CHAPTER_3)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cell = page.locator("#cell-3-softmax")
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    for part in ("def softmax(", "Examples:", '"""\n', "return "):
        assert part in copied
    assert "exported to" not in copied
    compile(copied, "cell", "exec")


def test_without_scripts_the_docstring_is_there(reading: Reading) -> None:
    browser = reading.page.context.browser
    assert browser is not None
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{reading.base}/{CHAPTER_3}")
        fold = page.locator("#cell-3-softmax details.sxlit-docstring").last
        fold.locator("summary").click()
        expect(fold).to_contain_text("Returns:")


def test_from_the_cell_to_the_reference_and_back(reading: Reading) -> None:
    page = reading.open(CHAPTER_3)
    page.locator("#cell-3-softmax p.sxlit-export a", has_text="sxlit.softmax").click()
    assert urlsplit(page.url).path == "/api.html"
    assert urlsplit(page.url).fragment == "sxlit.softmax"
    entry = page.locator("dl", has=page.locator("[id='sxlit.softmax']")).first
    entry.locator("p.sxlit-derived a").click()
    assert urlsplit(page.url).path == f"/{CHAPTER_3}"
    assert urlsplit(page.url).fragment == "cell-3-softmax"
    expect(page.locator("#cell-3-softmax")).to_be_in_viewport()


def test_every_export_and_every_entry_are_linked(reading: Reading) -> None:
    page = reading.open("api.html")
    entries = page.locator("dl.py > dt[id^='sxlit.']").evaluate_all(
        "nodes => nodes.filter(n => !n.closest('dd')).map(n => n.id)"
    )
    back = page.locator("dl.py > dd > p.sxlit-derived").count()
    assert len(entries) == back


def test_links_inside_the_book_lead_somewhere(reading: Reading) -> None:
    anchors: dict[str, set[str]] = {}
    links: set[tuple[str, str, str]] = set()
    for name in PAGES:
        page = reading.open(name)
        ids = page.eval_on_selector_all("[id]", "nodes => nodes.map(n => n.id)")
        anchors[name] = set(ids)
        hrefs = page.eval_on_selector_all(
            "article a[href]", "nodes => nodes.map(n => n.href)"
        )
        for url in map(urlsplit, hrefs):
            if f"{url.scheme}://{url.netloc}" == reading.base:
                links.add((name, url.path.lstrip("/"), unquote(url.fragment)))
    broken = [
        (source, target, anchor)
        for source, target, anchor in sorted(links)
        if target.endswith(".html")
        and (target not in anchors or (anchor and anchor not in anchors[target]))
    ]
    assert broken == []


def test_search_finds(reading: Reading) -> None:
    page = reading.open("search.html?q=softmax")
    expect(page.locator("#search-results li").first).to_be_visible(timeout=10_000)
    assert reading.elsewhere == []


@pytest.mark.parametrize("name", PAGES)
def test_narrow_page_does_not_scroll_sideways(reading: Reading, name: str) -> None:
    reading.page.set_viewport_size({"width": 390, "height": 844})
    page = reading.open(name)
    excess = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert excess <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_screenshots(reading: Reading, theme: str, width: int) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    reading.page.set_viewport_size({"width": width, "height": 1000})
    reading.page.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    for name in ("intro.html", CHAPTER_3, "api.html", "conformance.html"):
        page = reading.open(name)
        assert page.locator("html").get_attribute("data-theme") == theme
        target = SCREENSHOTS / f"{name.removesuffix('.html')}-{theme}-{width}.png"
        assert len(page.screenshot(path=target)) > 10_000
