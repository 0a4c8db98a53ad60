"""`shop-r1 data rationales`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import httpx
import typer
from rich.console import Console

from reward_server.terminal import (
    BAD_INPUT,
    JsonOption,
    as_json,
    input_file,
    keep_the_input,
    output_file,
    printable,
    write_json,
)
from trainer.cli.data.rationale_input import TwoPasses
from trainer.cli.data.rationale_summary import (
    asking_progress,
    complain,
    estimate_figures,
    estimate_table,
    run_figures,
    run_table,
    say_stopped,
)
from trainer.cli.data.sources import SkipBadOption
from trainer.rationales.cost import FREE, Budget, Prices
from trainer.rationales.estimate import ROUGHLY, Estimate, estimate, roughly
from trainer.rationales.journal import journal_path, open_journal
from trainer.rationales.request import LONGEST_PAGE, Asking
from trainer.rationales.stop import Stop
from trainer.rationales.tally import Tally
from trainer.sessions.files import write_session
from trainer.sessions.tokens import TokenizerError, load_tokenizer

if TYPE_CHECKING:
    from trainer.rationales.endpoint import EndpointSettings
    from trainer.rationales.fill import Run

_Price = float | None


def _finite(number: float | None) -> float | None:
    """What an option that is a number is checked with: NaN is below and above no limit."""
    if number is not None and not isfinite(number):
        raise typer.BadParameter("not a finite number")
    return number


def rationales(
    file: Annotated[Path, typer.Argument(help="Sessions as JSON lines.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the sessions, filled, to this file.")] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="The endpoint, with its /v1.", envvar="OPENAI_BASE_URL")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model, as the endpoint calls it.")] = None,
    api_key: Annotated[
        str | None, typer.Option("--api-key", help="Its key; local servers need none.", envvar="OPENAI_API_KEY")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=1000, help="Questions in flight.")] = 16,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, max=2, callback=_finite, help="0 always says the likeliest.")
    ] = 0.7,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Most tokens of an answer.")] = 128,
    max_page_chars: Annotated[
        int, typer.Option("--max-page-chars", min=200, help="Longer pages are cut around the element acted on.")
    ] = LONGEST_PAGE,
    persona: Annotated[bool, typer.Option("--persona", help="Tell the model who the shopper is.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Ask about steps that have a rationale, too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Take only the first sessions.")] = None,
    skip_bad: SkipBadOption = False,
    estimate_only: Annotated[bool, typer.Option("--estimate", help="Ask nothing; say what it would cost.")] = False,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help=f"Estimate with this tokenizer.json, not at {ROUGHLY}.")
    ] = None,
    input_price: Annotated[
        _Price, typer.Option("--input-price", min=0, callback=_finite, help="USD per million tokens in.")
    ] = None,
    output_price: Annotated[
        _Price, typer.Option("--output-price", min=0, callback=_finite, help="USD per million tokens out.")
    ] = None,
    max_cost: Annotated[
        _Price,
        typer.Option("--max-cost", min=0, callback=_finite, help="Stop before this and earlier runs cost more USD."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, callback=_finite, help="Seconds a server may be silent.")
    ] = 120,
    retries: Annotated[
        int, typer.Option("--retries", min=0, max=100, help="After a 429, 5xx, time-out or lost connection.")
    ] = 6,
    discard_journal: Annotated[
        bool, typer.Option("--discard-journal", help="Remove the journal once no step is without a rationale.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Fill in missing rationales: ask a model, at any OpenAI-compatible endpoint, why the shopper did what they did.

    The paper had Claude 3.5 Sonnet write them; fine-tuning learns them. Answers are kept in OUT.journal as they come:
    however a run ends, the same command goes on from there and asks only for what is missing. A step that fails keeps
    what it had; the exit status is then 1.
    """
    asking = Asking(model or "", max_page_chars, persona, replace)
    prices = _prices(input_price, output_price, max_cost)
    with input_file(file) as source:
        sessions = TwoPasses(source, str(file), limit, skip_bad)
        _keep_apart(source, out, json_file)
        if estimate_only:
            result, counted = _estimate(sessions, asking, tokenizer, journal_path(out) if out and model else None)
            figures = estimate_figures(result, max_tokens, prices, counted)
            write_json(json_file, figures)
            Console().print(estimate_table(figures))
            return
        if out is None or model is None or base_url is None:
            missing = "--out" if out is None else "--model" if model is None else "--base-url"
            raise typer.BadParameter("needed, except with --estimate", param_hint=missing)
        from trainer.rationales.fill import Run

        sampling = {"temperature": temperature, "max_tokens": max_tokens}
        endpoint = _endpoint(base_url, api_key, model=model, timeout=timeout, retries=retries, **sampling)
        wanted = sum(asking.wants(step) for session in sessions.first("reading") for step in session.steps)
        with _told_stops(), open_journal(journal_path(out)) as journal, output_file(json_file, "--json") as machine:
            tally = Tally()
            budget = Budget(prices or FREE, inf if max_cost is None else max_cost, journal.spent(model))
            with asking_progress(tally, wanted, prices) as changed:
                run = Run(asking, endpoint, journal, budget, tally, concurrency, changed)
                stopped = _fill(run, sessions, out)
            figures = run_figures(tally, journal.spent(model), prices, stopped)
            if machine is not None:
                machine.write(as_json(figures))
    Console().print(run_table(figures))
    complain(tally, stopped)
    incomplete = bool(tally.failed) or stopped is not None
    _settle_journal(journal_path(out), discard_journal and not incomplete)
    if incomplete:
        raise typer.Exit(BAD_INPUT)


def _keep_apart(source: BinaryIO, out: Path | None, json_file: Path | None) -> None:
    outputs = {"--out": out, "--json": json_file}
    if out is not None:
        if not out.parent.is_dir():
            raise typer.BadParameter(f"{out.parent} is no folder", param_hint="--out")
        outputs["the journal of --out"] = journal_path(out)
    keep_the_input(source, outputs)


def _prices(input_price: float | None, output_price: float | None, max_cost: float | None) -> Prices | None:
    if input_price is None or output_price is None:
        if (input_price, output_price) != (None, None):
            raise typer.BadParameter("--input-price and --output-price go together")
        if max_cost is not None:
            raise typer.BadParameter("needs --input-price and --output-price", param_hint="--max-cost")
        return None
    return Prices(input_price, output_price)


def _endpoint(base_url: str, key: str | None, **settings: Any) -> "EndpointSettings":
    """The endpoint's settings. Raises typer.BadParameter, which does not repeat the key."""
    from trainer.rationales.endpoint import EndpointSettings

    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--base-url") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise typer.BadParameter("an address such as http://127.0.0.1:8000/v1 is needed", param_hint="--base-url")
    key = key.strip() if key else None
    if key and not (key.isascii() and key.isprintable()):
        raise typer.BadParameter("holds a character that no HTTP header can carry", param_hint="--api-key")
    return EndpointSettings(base_url, api_key=key, **settings)


def _estimate(
    sessions: TwoPasses, asking: Asking, tokenizer: Path | None, journal: Path | None
) -> tuple[Estimate, str]:
    """What is to be asked, and how its tokens were counted; the journal counts where there is one."""
    try:
        measure = load_tokenizer(tokenizer) if tokenizer else roughly
    except TokenizerError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--tokenizer") from None
    with _told_stops(), open_journal(journal) if journal and journal.is_file() else nullcontext() as known:
        result = estimate(sessions.first("estimating"), asking, measure, known)
    return result, f"with {tokenizer.name}" if tokenizer else f"at {ROUGHLY}"


def _fill(run: "Run", sessions: TwoPasses, out: Path) -> str | None:
    """Fill the sessions into `out`, which appears only when the run comes to its end; else say why it did not."""
    from trainer.rationales.fill import fill

    try:
        with output_file(out, "--out") as filled:
            assert filled is not None
            write = filled.write
            asyncio.run(fill(run, sessions.second(), lambda session: write(write_session(session))))
    except Stop as stop:
        return str(stop)
    except KeyboardInterrupt:
        return "interrupted"
    return None


@contextmanager
def _told_stops() -> Iterator[None]:
    """A journal that cannot be used ends the command with its reason."""
    try:
        yield
    except Stop as stop:
        say_stopped(str(stop))
        raise typer.Exit(BAD_INPUT) from None


def _settle_journal(journal: Path, discard: bool) -> None:
    if discard:
        journal.unlink()
        return
    Console().print(f"answers are kept in {printable(str(journal))}", soft_wrap=True, highlight=False)
