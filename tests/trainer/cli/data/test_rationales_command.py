"""`shop-r1 data rationales`, run as a user runs it, against servers that answer and servers that fail."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest

from tests.commands import Done, clean_environment
from tests.trainer.cli import commands
from tests.trainer.cli.commands import BAD_INPUT, COMMAND, WRONG_USAGE
from tests.trainer.rationales.endpoints import (
    Behaviour,
    Endpoint,
    Hang,
    answering,
    completion,
    endpoint,
    error,
)
from tests.trainer.sessions.support import BUY, HOME, LEAVE, PRODUCT, SEARCH, step

INCOMPLETE = BAD_INPUT
KEY = "sk-very-secret-key"


def run(*arguments: object, **given: str) -> Done:
    return commands.run("data", "rationales", *arguments, **{"COLUMNS": "200", **given})


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "data", "rationales", *map(str, arguments)],
        env=clean_environment(COLUMNS="200"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def write(file: Path, *sessions: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(session) + "\n" for session in sessions))
    return file


def visit(number: int, steps: int = 2) -> dict[str, Any]:
    """A visit without rationales."""
    bought = [step(f"<p>{number}</p>{PRODUCT}", BUY) for _ in range(steps - 1)]
    return {"session": f"s{number:04}", "steps": [*bought, step(HOME, LEAVE)]}


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Ten visits of two steps; of the first visit's, one has its rationale."""
    first = visit(0)
    first["steps"][0]["rationale"] = "I like the price."
    first |= {"user": "u1", "persona": {"age": 34}, "meta": {"n": 1.5, "deep": [None, {"x": "日本語"}]}}
    first["steps"][1] |= {"timestamp": "2026-01-02T03:04:05Z", "url": "https://shop.example", "raw_html": "<p>\u2028"}
    return write(tmp_path / "sessions.jsonl", first, *(visit(number) for number in range(1, 10)))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "filled.jsonl"


@pytest.fixture
def server() -> Iterator[Endpoint]:
    """Answers every question."""
    with endpoint() as running:
        yield running


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Forty visits of three steps, and what one run makes of them."""
    folder = tmp_path_factory.mktemp("many")
    sessions = write(folder / "many.jsonl", *(visit(number, 3) for number in range(40)))
    with endpoint() as server:
        assert run(*asking(server, sessions, folder / "whole.jsonl")).returncode == 0
    return sessions, (folder / "whole.jsonl").read_bytes()


def asking(server: Endpoint, sessions: Path, out: Path, *more: object) -> list[object]:
    return [sessions, "--out", out, "--base-url", server.url, "--model", "a-model", "--retries", 1, *more]


def test_it_has_help_with_an_example() -> None:
    shown = run("--help").stdout
    assert re.search(r"Example: shop-r1 data rationales \S+ --out \S+ --base-url http://\S+ --model \S+", shown)
    assert "OPENAI_API_KEY" in shown


def test_missing_rationales_are_filled_and_everything_else_is_as_it_was(
    server: Endpoint, sessions: Path, out: Path
) -> None:
    done = run(*asking(server, sessions, out))
    assert (done.returncode, done.stderr) == (0, "")
    before, after = rows(sessions), rows(out)
    asked = 0
    for old, new in zip(before, after, strict=True):
        for old_step, new_step in zip(old["steps"], new["steps"], strict=True):
            rationale = new_step.pop("rationale")
            assert rationale == old_step.pop("rationale", rationale)
            asked += rationale.startswith("I do it for reason ")
        assert new == old
    assert server.requests == asked == 19
    assert "I like the price." in out.read_text()


def test_the_result_is_told_to_people_and_to_machines(server: Endpoint, sessions: Path, out: Path) -> None:
    figures = out.with_name("figures.json")
    done = run(*asking(server, sessions, out, "--json", figures, "--input-price", 3, "--output-price", 15))
    # 19 answers of 100 tokens in and 10 out: 1,900 * 3 + 190 * 15 millionths of a dollar.
    assert json.loads(figures.read_bytes()) == {
        "sessions": 10,
        "kept": 1,
        "reused": 0,
        "filled": 19,
        "failed": {},
        "answers": 19,
        "answers_without_usage": 0,
        "pages_cut": 0,
        "prompt_tokens": 1_900,
        "completion_tokens": 190,
        "cost_usd": pytest.approx(0.00855),
        "cost_usd_with_earlier_runs": pytest.approx(0.00855),
        "stopped": None,
    }
    assert re.search(r"tokens in +│ +1,900 ", done.stdout)
    assert re.search(r"cost +│ +\$0\.0086 ", done.stdout) or re.search(r"cost +│ +\$0\.0085 ", done.stdout)
    assert f"answers are kept in {out}.journal" in done.stdout


def test_a_cost_without_prices_is_unknown_and_never_guessed(server: Endpoint, sessions: Path, out: Path) -> None:
    figures = out.with_name("figures.json")
    done = run(*asking(server, sessions, out, "--json", figures))
    assert re.search(r"cost +│ unknown \(no prices given\)", done.stdout)
    assert json.loads(figures.read_bytes())["cost_usd"] is None


def test_tables_fit_80_columns(server: Endpoint, sessions: Path, tmp_path: Path) -> None:
    prices = ("--input-price", 3_000, "--output-price", 1_500_000)
    real = run(*asking(server, sessions, tmp_path / "f", *prices), COLUMNS="80")
    estimate = run(sessions, "--estimate", *prices, COLUMNS="80")
    tables = [line for line in (real.stdout + estimate.stdout).splitlines() if line.startswith(("│", "┌"))]
    assert tables
    assert max(map(len, tables)) <= 80
    assert "…" not in "".join(tables)


def test_a_second_run_asks_nothing(server: Endpoint, sessions: Path, out: Path) -> None:
    assert run(*asking(server, sessions, out)).returncode == 0
    first = out.read_bytes()
    again = run(*asking(server, sessions, out))
    assert (again.returncode, out.read_bytes(), server.requests) == (0, first, 19)


def test_the_journal_goes_when_told_to_and_nothing_is_missing(server: Endpoint, sessions: Path, out: Path) -> None:
    server.behaviour = lambda body, number: completion("") if number == 0 else answering(body, number)
    done = run(*asking(server, sessions, out, "--discard-journal", "--concurrency", 1))
    assert done.returncode == 0
    assert sorted(file.name for file in out.parent.iterdir()) == [out.name, sessions.name]


def test_steps_that_fail_stay_empty_are_told_and_asked_for_again(server: Endpoint, sessions: Path, out: Path) -> None:
    def unusable(body: dict[str, Any], number: int) -> Behaviour:
        asked = body["messages"][1]["content"]
        return completion("\x1b[31mred\x07") if "<p>3</p>" in asked or "<p>7</p>" in asked else answering(body, number)

    server.behaviour = unusable
    done = run(*asking(server, sessions, out, "--discard-journal"))
    assert done.returncode == INCOMPLETE
    # Both of a visit's steps: the second shows the first only as an action, not its page.
    assert "session s0003, step 1: not_text: \\x1b[31mred\\x07" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "without a rationale: not_text 2" in done.stderr
    assert [row["session"] for row in rows(out) if None in [s.get("rationale") for s in row["steps"]]] == [
        "s0003",
        "s0007",
    ]
    server.behaviour = answering
    before = server.requests
    assert run(*asking(server, sessions, out)).returncode == 0
    assert server.requests - before == 2


@pytest.mark.parametrize("kill_at", [1, 40, 110])
def test_killed_at_any_point_it_goes_on_and_the_result_is_that_of_one_run(
    many: tuple[Path, bytes], out: Path, kill_at: int
) -> None:
    sessions, whole = many
    reached = Event()

    def slowly(body: dict[str, Any], number: int) -> Behaviour:
        if number + 1 >= kill_at:
            reached.set()
        reply = answering(body, number)
        reply.delay = 0.01
        return reply

    concurrency = 8
    with endpoint(slowly) as server:
        command = asking(server, sessions, out, "--concurrency", concurrency)
        with start(*command) as process:
            assert reached.wait(60)
            process.kill()
        assert not out.exists()
        assert run(*command).returncode == 0
        assert 120 <= server.requests <= 120 + concurrency
    assert out.read_bytes() == whole


def test_an_interrupted_run_says_so_and_goes_on(sessions: Path, out: Path) -> None:
    reached = Event()

    def half(body: dict[str, Any], number: int) -> Behaviour:
        if number == 10:
            reached.set()
        return answering(body, number) if number < 10 else Hang()

    with endpoint(half) as server:
        with start(*asking(server, sessions, out, "--concurrency", 1)) as process:
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == INCOMPLETE
        assert b"stopped: interrupted" in stderr
        assert b"Traceback" not in stderr
        assert sorted(file.name for file in out.parent.iterdir()) == [f"{out.name}.journal", sessions.name]
        server.behaviour = answering
        assert run(*asking(server, sessions, out)).returncode == 0
        # The eleventh question was in flight.
        assert server.requests == 19 + 1


def test_a_second_run_beside_the_first_is_refused_and_harms_nothing(sessions: Path, out: Path) -> None:
    reached = Event()

    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        reached.set()
        return Hang()

    with endpoint(behaviour) as server:
        with start(*asking(server, sessions, out)) as first:
            assert reached.wait(60)
            second = run(*asking(server, sessions, out))
            assert second.returncode == INCOMPLETE
            assert f"{out}.journal is in use by another run" in second.stderr
            assert out.with_name(f"{out.name}.part").exists(), "the first run's"
            first.kill()
        server.behaviour = answering
        assert run(*asking(server, sessions, out)).returncode == 0


@pytest.mark.parametrize(
    ("status", "message"), [(401, "Incorrect API key: sk-very-secret-key"), (404, "No such model")]
)
def test_a_request_that_is_refused_stops_the_run_in_the_servers_words(
    sessions: Path, out: Path, status: int, message: str
) -> None:
    with endpoint(lambda _, number: error(status, f"{message} \x1b[2J")) as server:
        done = run(*asking(server, sessions, out, "--concurrency", 2), OPENAI_API_KEY=f"{KEY}\n")
    assert done.returncode == INCOMPLETE
    assert f"stopped: {server.url} refuses the request ({status}): {message.replace(KEY, '[the key]')}" in done.stderr
    assert "nothing was written; the same command goes on from here" in done.stderr
    assert "\x1b" not in done.stderr
    assert server.requests <= 2
    assert server.seen[0].key == f"Bearer {KEY}"
    kept = b"".join(file.read_bytes() for file in out.parent.iterdir())
    assert KEY not in done.stdout + done.stderr
    assert KEY.encode() not in kept


def test_a_server_that_is_not_there_is_told(sessions: Path, out: Path) -> None:
    with endpoint() as gone:
        pass
    done = run(*asking(gone, sessions, out))
    assert done.returncode == INCOMPLETE
    assert f"stopped: {gone.url} cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_limit_on_cost_counts_earlier_runs(server: Endpoint, sessions: Path, out: Path) -> None:
    # A dollar a token: 19 answers cost 110 each, 2,090 in all, and a question could cost some 2,500.
    priced = ("--input-price", 1e6, "--output-price", 1e6, "--max-cost")
    limited = run(*asking(server, sessions, out, *priced, 3_500))
    assert limited.returncode == INCOMPLETE
    assert re.search(r"stopped: \$\S+ of \$3500\.0000 is spent, and the next request could cost", limited.stderr)
    assert not out.exists()
    answered = server.requests
    assert 0 < answered < 19
    again = run(*asking(server, sessions, out, *priced, 3_500))
    assert again.returncode == INCOMPLETE
    assert server.requests == answered, "what earlier runs cost counts"
    assert run(*asking(server, sessions, out, *priced, 50_000)).returncode == 0
    assert server.requests == 19


def test_an_estimate_asks_nothing_and_says_what_a_run_then_asks(server: Endpoint, sessions: Path, out: Path) -> None:
    figures = out.with_name("estimate.json")
    prices = ("--input-price", 3, "--output-price", 15, "--max-tokens", 50)
    done = run(sessions, "--estimate", *prices, "--json", figures)
    assert (done.returncode, done.stderr, server.requests) == (0, "", 0)
    estimate = json.loads(figures.read_bytes())
    assert (estimate["requests"], estimate["kept"], estimate["completion_tokens_at_most"]) == (19, 1, 19 * 50)
    cost = (3 * estimate["prompt_tokens"] + 15 * 19 * 50) / 1e6
    assert estimate["cost_usd"] == pytest.approx(cost)
    assert estimate["tokens_counted"] == "at 4 characters a token"
    run(*asking(server, sessions, out))
    assert server.requests == 19
    characters = sum(len(message["content"]) for seen in server.seen for message in seen.body["messages"])
    # What a chat template adds is about 70 characters a question.
    assert characters / 4 < estimate["prompt_tokens"] < characters / 4 + 19 * 30
    run(*asking(server, sessions, out, "--estimate", "--json", figures))
    assert json.loads(figures.read_bytes())["reused"] == 19


def test_an_estimate_can_count_with_a_tokenizer(sessions: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    figures = tmp_path / "estimate.json"
    run(sessions, "--estimate", "--tokenizer", file, "--json", figures)
    estimate = json.loads(figures.read_bytes())
    assert estimate["tokens_counted"] == "with tokenizer.json"
    with endpoint() as server:
        run(*asking(server, sessions, tmp_path / "f"))
    # A word is a token; the template glues two words to the messages' first, its last closes on a line of its own.
    chats = (
        "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in seen.body["messages"])
        + "<|im_start|>assistant\n"
        for seen in server.seen
    )
    assert estimate["prompt_tokens"] == sum(len(chat.split()) for chat in chats)


def test_only_the_first_sessions_are_taken_on_request(server: Endpoint, sessions: Path, out: Path) -> None:
    assert run(*asking(server, sessions, out, "--limit", 3)).returncode == 0
    assert [row["session"] for row in rows(out)] == ["s0000", "s0001", "s0002"]
    assert server.requests == 5
    assert run(*asking(server, sessions, out)).returncode == 0
    assert server.requests == 19, "a trial is not paid for twice"


def test_settings_reach_the_server(server: Endpoint, sessions: Path, out: Path) -> None:
    run(*asking(server, sessions, out, "--temperature", 0, "--max-tokens", 77, "--persona", "--limit", 1))
    (seen,) = server.seen
    assert (seen.body["model"], seen.body["temperature"], seen.body["max_tokens"]) == ("a-model", 0, 77)
    assert '{"age": 34}' in seen.body["messages"][1]["content"]


def test_long_pages_are_cut_and_counted(server: Endpoint, tmp_path: Path, out: Path) -> None:
    long = "<p>filler</p>" * 10_000 + HOME
    sessions = write(tmp_path / "long.jsonl", {"session": "s", "steps": [step(long, SEARCH), step(HOME, SEARCH)]})
    figures = tmp_path / "figures.json"
    assert run(*asking(server, sessions, out, "--max-page-chars", 1_000, "--json", figures)).returncode == 0
    assert json.loads(figures.read_bytes())["pages_cut"] == 1
    assert max(len(seen.body["messages"][1]["content"]) for seen in server.seen) < 2_000


def test_bad_lines_are_named_before_anything_is_asked(server: Endpoint, sessions: Path, out: Path) -> None:
    sessions.write_bytes(sessions.read_bytes() + b'{"session": "bad", "steps": 5}\nnot json\n')
    done = run(*asking(server, sessions, out))
    assert (done.returncode, server.requests) == (INCOMPLETE, 0)
    assert f"{sessions}:11, /steps: bad_field" in done.stderr
    assert f"{sessions}:12: not_json" in done.stderr
    assert not out.exists()
    skipped = run(*asking(server, sessions, out, "--skip-bad"))
    assert (skipped.returncode, len(rows(out))) == (0, 10)


def test_a_file_without_sessions_is_told(server: Endpoint, tmp_path: Path, out: Path) -> None:
    done = run(*asking(server, write(tmp_path / "empty.jsonl"), out))
    assert done.returncode == INCOMPLETE
    assert "has no sessions" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nowhere.jsonl", "--estimate"], "nowhere.jsonl"),
        (["{sessions}"], "--out"),
        (["{sessions}", "--out", "f"], "--model"),
        (["{sessions}", "--out", "f", "--model", "m"], "--base-url"),
        (["{sessions}", "--out", "nowhere/f", "--estimate"], "nowhere is no folder"),
        (["{sessions}", "--out", "f", "--model", "m", "--base-url", "localhost:8000"], "--base-url"),
        (["{sessions}", "--out", "f", "--model", "m", "--base-url", "http://[::1"], "--base-url"),
        (["{sessions}", "--out", "{sessions}", "--estimate"], "is the file being read"),
        (["{sessions}", "--out", "f", "--json", "f.journal", "--estimate"], "already taken"),
        (["{sessions}", "--estimate", "--input-price", "3"], "--output-price"),
        (["{sessions}", "--estimate", "--max-cost", "3"], "--max-cost"),
        (["{sessions}", "--estimate", "--input-price", "inf", "--output-price", "1"], "finite"),
        (["{sessions}", "--estimate", "--tokenizer", "nowhere.json"], "--tokenizer"),
        (["/dev/stdin", "--estimate"], "cannot be a pipe"),
        (["-", "--estimate"], "cannot be a pipe"),
    ],
)
def test_wrong_usage_is_named(sessions: Path, tmp_path: Path, arguments: list[str], named: str) -> None:
    done = subprocess.run(
        [COMMAND, "data", "rationales", *(argument.format(sessions=sessions) for argument in arguments)],
        env=clean_environment(COLUMNS="200"),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == WRONG_USAGE
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(server: Endpoint, sessions: Path, out: Path) -> None:
    done = run(*asking(server, sessions, out, "--api-key", f"{KEY}\nX: y"))
    assert done.returncode == WRONG_USAGE
    assert "--api-key" in done.stderr
    assert "very-secret" not in done.stdout + done.stderr


def test_a_terminal_sees_steps_tokens_and_cost_while_it_runs(sessions: Path, out: Path) -> None:
    def slowly(body: dict[str, Any], number: int) -> Behaviour:
        reply = answering(body, number)
        reply.delay = 0.1
        return reply

    ours, theirs = pty.openpty()
    with endpoint(slowly) as server:
        command = asking(server, sessions, out, "--input-price", 3, "--output-price", 15, "--concurrency", 2)
        with subprocess.Popen(
            [COMMAND, "data", "rationales", *map(str, command)],
            env=clean_environment(COLUMNS="200", TERM="xterm"),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            while process.poll() is None:
                try:
                    shown += os.read(ours, 65_536)
                except OSError:
                    sleep(0.05)
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="replace"))
    assert re.search(r"\d+/19 +[\d,]+ tokens, \$0\.00\d\d", text)
