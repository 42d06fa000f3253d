"""The built book in a reader's hands: folds, tabs, links, search, light and dark.

Run after `nox -s book`; the screenshots go to `_build/screenshots`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from reader import SCREENSHOTS, Reading

CHAPTER_2 = "02_sigmoid.html"  # short, and has some of everything
CHAPTER_3 = "03_floating_point.html"
CHAPTER_11 = "11_digits.html"


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
    page = reading.open(CHAPTER_2)
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


def test_a_chosen_tab_stays_chosen(reading: Reading) -> None:
    page = reading.open(CHAPTER_11)
    sets = page.locator(".sd-tab-set").count()
    assert sets > 1
    jax = page.locator("label.sd-tab-label[data-sync-id='jax']")
    assert jax.count() == sets
    jax.nth(1).click()
    chosen = page.locator(".sd-tab-set > input:checked + label[data-sync-id='jax']")
    assert chosen.count() == sets
    reading.open(CHAPTER_11)
    expect(chosen).to_have_count(sets)
    contents = page.locator(".sd-tab-set > .sd-tab-content").locator("visible=true")
    assert contents.count() == sets


def test_what_checked_a_theorem_unfolds(reading: Reading) -> None:
    page = reading.open(CHAPTER_2)
    fold = page.locator("div.theorem details.sxlit-checked").first
    expect(fold.locator("li").first).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.locator("li").first).to_contain_text("tests/test_")
    # On a phone, too, the names of the tests are there to be read: they wrap.
    page.set_viewport_size({"width": 390, "height": 844})
    too_wide = "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth).length"
    assert fold.locator("p").evaluate_all(too_wide) == 0


def test_every_term_of_the_glossary_leads_to_a_chapter(reading: Reading) -> None:
    page = reading.open("glossary.html")
    terms = page.locator("dl.glossary > dt[id^='term-']")
    assert terms.count() > 40
    explained = page.locator("dl.glossary > dd")
    linked = explained.filter(has=page.locator("a[href*='.html']"))
    assert linked.count() == explained.count()
    page.locator("dl.glossary a[href^='#term-']:not(.headerlink)").first.click()
    expect(page.locator("dt:target")).to_be_in_viewport()


def test_the_notebook_of_a_page_can_be_downloaded(reading: Reading) -> None:
    page = reading.open(CHAPTER_2)
    button = page.locator("a.btn-download-source-button")
    assert page.request.get(button.evaluate("a => a.href")).json()["nbformat"] == 4


@pytest.mark.parametrize("word", ["softmax", "sigmoid"])
def test_search_finds(reading: Reading, word: str) -> None:
    page = reading.open(f"search.html?q={word}")
    expect(page.locator("#search-results li").first).to_be_visible(timeout=10_000)
    assert reading.elsewhere == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_screenshots(reading: Reading, theme: str, width: int) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    reading.page.set_viewport_size({"width": width, "height": 1000})
    reading.page.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    for name in ("intro.html", CHAPTER_2, "conformance.html"):
        page = reading.open(name)
        assert page.locator("html").get_attribute("data-theme") == theme
        target = SCREENSHOTS / f"{name.removesuffix('.html')}-{theme}-{width}.png"
        assert len(page.screenshot(path=target)) > 10_000
