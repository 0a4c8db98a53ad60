"""`shop-r1 evaluate --model`: completions generated, kept, used again, and evaluated as those of any file are."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.commands import Done
from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from tests.trainer.generation.support import LONGEST_ANSWER, MODEL, SPACE, rl_rows, write_rows
from trainer.cli.evaluate_models import Request, generated_runs
from trainer.cli.evaluate_runs import Outputs, RolloutFile

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = 6
NOWHERE = Outputs(None, None, None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "test.jsonl", rl_rows(ROWS))


def asked(data: Path, folder: Path | None, **changes: Any) -> Request:
    request = Request([MODEL], [], data, "transformers", [0.0], 1, LONGEST_ANSWER, None, folder, 0)
    return request._replace(**changes)


def generated(request: Request) -> list[RolloutFile]:
    return list(generated_runs(request, SPACE, NOWHERE))


def lines(file: RolloutFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.path.read_bytes().splitlines()]


def test_a_sweep_is_evaluated_reported_kept_and_used_again(data: Path, tmp_path: Path) -> None:
    def sweep(name: str) -> Done:
        options = ("--data", data, "--engine", "transformers", "--max-new-tokens", LONGEST_ANSWER, "--resamples", 100)
        kept = ("--generated", tmp_path / "kept", "--temperature", 0, "--temperature", 0.6)
        outputs = ("--json", tmp_path / f"{name}.json", "--report", tmp_path / f"{name}.html")
        return run("evaluate", "--model", MODEL, *options, *kept, *outputs, OMP_NUM_THREADS="1")

    done = sweep("first")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / "first.json").read_bytes())
    assert [each["file"] for each in found["runs"]] == [f"{MODEL} at temperature 0", f"{MODEL} at temperature 0.6"]
    assert [each["generation"]["seed"] for each in found["runs"]] == [None, 0]
    assert {each["rollouts"] for each in found["runs"]} == {ROWS}
    assert "Sampling temperature" in (tmp_path / "first.html").read_text(encoding="utf-8")
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "kept").iterdir()}
    assert len(kept) == 4

    again = sweep("again")
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "kept").iterdir()} == kept


def test_what_an_interrupted_sweep_lacks_is_generated_and_the_rest_left_alone(data: Path, tmp_path: Path) -> None:
    request = asked(data, tmp_path, temperatures=[0.0, 1.0])
    first, second = generated(request)
    before = second.path.read_bytes()
    second.path.with_suffix(".json").unlink()
    second.path.write_bytes(b"half a file")
    untouched = first.path.stat().st_mtime_ns
    assert generated(request) == [first, second]
    assert (first.path.stat().st_mtime_ns, second.path.read_bytes()) == (untouched, before)


def test_rollouts_have_the_rows_fields_and_samples_share_a_group(data: Path, tmp_path: Path) -> None:
    (file,) = generated(asked(data, tmp_path, samples=2, temperatures=[1.0], limit=3))
    rows, found = rl_rows(3), lines(file)
    assert [line["id"] for line in found] == [row["id"] for row in rows for _ in range(2)]
    for line, row in zip(found[::2], rows, strict=True):
        assert {name: line[name] for name in ("session", "step", "label")} == {
            name: row[name] for name in ("session", "step", "label")
        }
        assert line["group"] == row["id"]
        assert "prompt" not in line
    assert any(one["completion"] != other["completion"] for one, other in zip(found[::2], found[1::2], strict=True))


def test_each_checkpoint_of_a_run_is_a_run_named_by_its_path_but_one_that_is_the_final_model(
    data: Path, tmp_path: Path
) -> None:
    for name in ("checkpoints/global_step10_hf", "checkpoints/global_step2_hf", "model"):
        shutil.copytree(MODEL, tmp_path / "run" / name)
    files = generated(asked(data, tmp_path / "kept", models=[], runs=[tmp_path / "run"], limit=1))
    assert [Path(file.name).relative_to(tmp_path / "run").as_posix() for file in files] == [
        "checkpoints/global_step2_hf",
        "model",
    ]
    assert len({file.path.read_bytes() for file in files}) == 1


def test_without_a_folder_nothing_is_left(data: Path, tmp_path: Path) -> None:
    files = generated_runs(asked(data, None, limit=1), SPACE, NOWHERE)
    file = next(files)
    assert file.path.is_file()
    assert list(files) == []
    assert not file.path.parent.exists()


def test_nothing_is_generated_where_a_later_model_or_row_cannot_be_used(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(data.read_bytes() + b'{"prompt": []}\n')
    for request, complaint in (
        (asked(data, tmp_path / "kept", models=[MODEL, f"{tmp_path}/none"]), "none: there is no such folder"),
        (asked(bad, tmp_path / "kept"), f"bad.jsonl:{ROWS + 1}: /prompt: List should have at least 1 item"),
        (asked(data, tmp_path / "kept", max_new_tokens=9_000), "test.jsonl:1: /prompt of row storefront-9-"),
        (asked(data, tmp_path / "kept", models=[], runs=[tmp_path]), "neither checkpoints/global_step…_hf"),
    ):
        with pytest.raises(typer.Exit) as told:
            generated(request)
        assert told.value.exit_code == BAD_INPUT
        assert complaint in capsys.readouterr().err
        assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["rollouts.jsonl", "--model", "m", "--data", "DATA"], "rollouts are either read or generated"),
        (["--model", "m"], "models need --data"),
        (["--data", "DATA"], "--data needs --model"),
        (["rollouts.jsonl", "--temperature", "1"], "this is for generating"),
        (["--generated", "kept"], "this is for generating"),
        (["--model", "m", "--data", "DATA", "--table", "t.csv"], "without models"),
        (["--model", "m", "--data", "missing.jsonl"], "missing.jsonl: No such file"),
        (["--model", "m", "--data", "-"], "read more than once"),
        (["--model", "m", "--model", "m", "--data", "DATA"], "m is named twice"),
        (["--model", "m", "--data", "DATA", "--temperature", "1", "--temperature", "1.0"], "1.0 is named twice"),
        (["--model", "m", "--data", "DATA", "--temperature", "nan"], "a temperature is 0"),
        (["--model", "m", "--data", "DATA", "--temperature", "0.001"], "a temperature is 0"),
        (["--model", "m", "--data", "DATA", "--json", "DATA"], "is the file being read"),
        (["--model", "m", "--data", "DATA", "--generated", "DATA"], "File exists"),
    ],
)
def test_wrong_usage_is_answered_with_2_and_a_reason(options: list[str], reason: str, data: Path) -> None:
    before = data.read_bytes()
    done = run("evaluate", *(str(data) if option == "DATA" else option for option in options))
    assert (done.returncode, done.stdout) == (WRONG_USAGE, "")
    said = " ".join(done.stderr.replace("│", " ").split())
    assert reason in said
    assert data.read_bytes() == before


def test_rows_for_sft_are_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sft = write_rows(tmp_path / "sft.jsonl", [{"messages": [{"role": "user", "content": "What next?"}]}])
    with pytest.raises(typer.Exit):
        generated(asked(sft, tmp_path / "kept"))
    assert "sft.jsonl:1: the whole line: a row of SFT data" in capsys.readouterr().err


def test_the_help_has_an_example_with_a_model() -> None:
    shown = " ".join(run("evaluate", "--help").stdout.split())
    assert "Example: shop-r1 evaluate rollouts.jsonl" in shown
    assert "shop-r1 evaluate --model runs/grpo/model --data test.jsonl" in shown


def test_an_engine_that_is_not_installed_is_told_as_what_to_install(data: Path) -> None:
    if find_spec("vllm"):
        pytest.skip("vLLM is installed here")
    done = run("evaluate", "--model", MODEL, "--data", data, "--engine", "vllm")
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert done.stderr == "this needs vllm, which comes with: pip install 'shop-r1[vllm]'\n"
