"""Every page of the built book, looked at once: nothing from elsewhere, no dead end.

Run after `nox -s book`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

import pytest
from reader import ROOT, SITE, Visit

Look: TypeAlias = Callable[[str], Visit]

PAGES = sorted(path.name for path in SITE.glob("*.html"))
CONTENTS = re.findall(
    r"(?:root|file): (\S+)", (ROOT / "book" / "_toc.yml").read_text("utf-8")
)
CHAPTERS = [
    f"{name}.html" for name in CONTENTS if re.match(r"(\d+[a-z]?|[A-Z])_", name)
]
SECTIONS = [name for name in CHAPTERS if re.search(r"_(torch|tensorflow|jax)\.", name)]
ERRATA = "B_errata.html"
CLAIMS = 38


def test_the_contents_are_built() -> None:
    assert {f"{name}.html" for name in CONTENTS} <= set(PAGES)
    assert len(CHAPTERS) >= 14


@pytest.mark.parametrize("name", PAGES)
def test_page_reads_without_a_network(visited: Look, name: str) -> None:
    page = visited(name)
    assert page.elsewhere == []
    assert page.complaints == []
    assert page.wrong_formulas == 0
    assert page.set_formulas >= page.formulas


@pytest.mark.parametrize("name", PAGES)
def test_narrow_page_does_not_scroll_sideways(visited: Look, name: str) -> None:
    assert visited(name).excess <= 0


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_says_its_number_and_no_directive(visited: Look, name: str) -> None:
    page = visited(name)
    number = name.split("_")[0].lstrip("0")
    if name in SECTIONS:  # of the chapter whose number they have
        assert page.title.startswith(f"{number}.")
    else:
        kind = "Chapter" if number[0].isdigit() else "Appendix"
        assert page.title.lower().startswith(f"{kind} {number}".lower())
    assert "#|" not in page.text


def test_links_inside_the_book_lead_somewhere(visited: Look, base: str) -> None:
    broken = []
    for source in PAGES:
        for url in map(urlsplit, sorted(visited(source).links)):
            target, anchor = url.path.lstrip("/"), unquote(url.fragment)
            inside = f"{url.scheme}://{url.netloc}" == base
            if not inside or not target.endswith(".html"):
                continue
            if target not in PAGES or (anchor and anchor not in visited(target).ids):
                broken.append((source, target, anchor))
    assert broken == []


def test_every_claim_of_the_errata_leads_somewhere(visited: Look) -> None:
    html = (SITE / ERRATA).read_text("utf-8")
    table = html[html.rindex("<tbody>") : html.rindex("</tbody>")]
    rows = table.split("<tr")[1:]
    cells = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]
    numbers = [re.sub("<.*?>", "", row[0]) for row in cells]
    assert numbers == [str(number + 1) for number in range(CLAIMS)]
    for number, row in zip(numbers, cells, strict=True):
        links = re.findall(r'href="([^"]+)"', row[-1])
        assert links or "above" in row[-1], f"claim {number} leads nowhere"
        for link in links:
            target, _, anchor = link.partition("#")
            page = visited(target or ERRATA)
            assert not anchor or unquote(anchor) in page.ids, f"claim {number}: {link}"


def test_next_goes_through_the_whole_book() -> None:
    seen = ["intro.html"]
    while forward := re.search(
        r'class="right-next"\s+href="([^"]+)"', (SITE / seen[-1]).read_text("utf-8")
    ):
        seen.append(forward[1])
    assert seen == [f"{name}.html" for name in CONTENTS]
