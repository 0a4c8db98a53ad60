"""Speed of the HTML simplifier, beside lxml's bare parse of the same pages, in one run.

    python -m benchmarks.simplifier

Results pages as shops send them: the storefront's, and denser ones of growing size, with scripts, style sheets and
drawings inline, hidden parts, tags left open, attributes in every manner of quotes. Then the speed of what reads
simplified pages.
"""

import random
from collections.abc import Callable
from statistics import median
from time import perf_counter

import lxml.html
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.arguments import no_arguments
from trainer.sessions.page import names_on, well_formed
from trainer.sessions.simplify import simplify
from trainer.sessions.storefront import Storefront

ROUNDS = 9
PRODUCTS = {"24 products": 24, "600 products": 600, "5,000 products": 5_000}
WORDS = ("red", "blue", "wool", "winter", "hat", "scarf", "cotton", "kids", "women", "warm", "pack of two", "café")

HEAD = """<!DOCTYPE html><html lang=en><head><meta charset="utf-8"><title>Results for "hat" &ndash; Shop</title>
<link rel=stylesheet href="/a.css"><style>{style}</style><script>window.state = {script};</script></head>
<body class="page results"><!-- header --><noscript><img src="/pixel.gif"></noscript>
<header><a href="/" aria-label="Home"><svg viewBox="0 0 24 24"><path d="M3 12l9-9 9 9v9a1 1 0 0 1-1 1H4z"/></svg></a>
<form id="search" role=search action="/s"><select name="department"><option selected>All<option>Hats<option>Scarves
</select><input type="search" name="q" placeholder="Search the shop" autocomplete=off><input type="hidden" name="csrf"
value="a81c"><button type="submit"><span class="icon"></span>Search</button></form></header>
<aside aria-label="Refinements"><h2>Brand</h2><ul>{filters}</ul></aside>
<main name="search_results"><div class="grid">"""
FILTER = """<li><a href="?brand={n}" data-track='{{"id": {n}}}'><i class=box></i><span>Brand {n}</span>
 <span>({n})</span></a>"""
CARD = """
<div class="card s-result sg-col-4-of-12" data-id="B0{n}" data-index={n} data-component='{{"type":"result","n":{n}}}'>
 <div class="inner"><span class="declarative"><a class="link no-outline" href="/p/{n}?ref=sr_{n}&amp;q=hat">
  <img class="image" src="https://img.example/{n}.jpg" srcset="https://img.example/{n}.jpg 1x, https://img.example/{n}@2x.jpg
  2x" alt="{title}"></a></span>
  <h2 class="title"><a class="link" href="/p/{n}"><span class="size-base">{title}</span></a></h2>
  <div class=rating><span aria-label="4.{n} out of 5 stars"><i class="star"><span class=alt>4.{n}</span></i></span>
   <a href="/p/{n}#reviews"><span class="count">{n}</span></a></div>
  <div style="display: none !important">sold {n}</div>
  <div class="price"><span class="offscreen">${n}.99</span><span aria-hidden="true"><span>$</span>{n}</span>
   <del>$ {n}5.00</del></div>
  <p class=delivery>FREE delivery <b>Tomorrow</b>&nbsp;if ordered today<br>Ships from <em>us</em>
  <div class=buttons><button class="button primary" type="submit" name="add" onclick="add({n})"><span>Add to cart</span>
   </button><BUTTON CLASS=button TITLE="Add to list"><svg width=16><use href="#heart"></use></svg></BUTTON></div>
 </div></div>"""
TAIL = "</div></main><footer><ul><li><a href=/help>Help</a><li><a href=/returns>Returns</a></ul></footer></body></html>"


def results_page(products: int) -> str:
    rng = random.Random(products)
    cards = (CARD.format(n=n, title=" ".join(rng.choices(WORDS, k=7)).title()) for n in range(products))
    head = HEAD.format(
        style=".card{display:flex;margin:0 8px}\n" * 500,
        script='{"items":[' + ",".join(f'{{"id":{n},"price":{n}.99}}' for n in range(20 * 24)) + "]}",
        filters="".join(FILTER.format(n=n) for n in range(40)),
    )
    return head + "".join(cards) + TAIL


def pages() -> dict[str, str]:
    """The pages timed, by name."""
    session = next(Storefront(size="full", raw=True).sessions(1))
    found = next(step.raw_html for step in session.steps if step.meta and step.meta["page"] == "results")
    return {"storefront": found or "", **{name: results_page(count) for name, count in PRODUCTS.items()}}


def seconds(run: Callable[[str], object], page: str) -> float:
    started = perf_counter()
    run(page)
    return perf_counter() - started


def speeds(page: str, *runs: Callable[[str], object]) -> list[float]:
    """Median MB/s of each; the rounds take turns, so that a slow moment hits all."""
    for run in runs:
        run(page)
    rounds = [[seconds(run, page) for run in runs] for _ in track(range(ROUNDS), "timing", transient=True)]
    return [len(page.encode()) / 1e6 / median(times) for times in zip(*rounds, strict=True)]


def main() -> None:
    raw = Table(title=f"MB/s of raw HTML, median of {ROUNDS} rounds", title_justify="left")
    simplified = Table(title=f"MB/s of simplified HTML, median of {ROUNDS} rounds", title_justify="left")
    for column in ("page", "MB", "simplify", "lxml alone", "ratio", "names", "MB left"):
        raw.add_column(column, justify="left" if column == "page" else "right")
    for column in ("page", "MB", "names_on", "well_formed"):
        simplified.add_column(column, justify="left" if column == "page" else "right")
    for name, page in pages().items():
        result = simplify(page)
        assert names_on(result.html) == result.names, "names were lost"
        assert well_formed(result.html) is None, "the simplified page does not nest"
        size, left = (f"{len(text.encode()) / 1e6:.2f}" for text in (page, result.html))
        own, floor = speeds(page, simplify, lxml.html.document_fromstring)
        raw.add_row(name, size, f"{own:.1f}", f"{floor:.1f}", f"1/{floor / own:.1f}", f"{len(result.names):,}", left)
        simplified.add_row(name, left, *(f"{speed:.1f}" for speed in speeds(result.html, names_on, well_formed)))
    console = Console()
    console.print(raw)
    console.print(simplified)


if __name__ == "__main__":
    no_arguments(__doc__)
    main()
