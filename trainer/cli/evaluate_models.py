"""What `shop-r1 evaluate --model` does before it evaluates: completions by each model at each temperature."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reward_server.reward.action import ActionSpace
from reward_server.terminal import STDIN, input_file, keep_the_input, output_file, printable
from trainer.cli.evaluate_runs import Outputs, RolloutFile, refuse
from trainer.evaluation.result import Generation
from trainer.file_digest import sha256_of
from trainer.generation.checkpoints import checkpoints
from trainer.generation.engine import Engine
from trainer.generation.engines import load_engine, resolved
from trainer.generation.errors import GenerationError
from trainer.generation.generated_files import digest_of_model, file_of, is_complete, record
from trainer.generation.rows import rollout
from trainer.generation.sampling import LEAST_TEMPERATURE, Sampling

if TYPE_CHECKING:
    from trainer.generation.chat import Chat
    from trainer.generation.completions import Data


class Request(NamedTuple):
    """The options."""

    models: Sequence[str]
    runs: Sequence[Path]
    """Folders of training runs, with checkpoints."""
    data: Path
    engine: Literal["auto", "vllm", "transformers"]
    temperatures: Sequence[float]
    samples: int
    max_new_tokens: int
    limit: int | None
    folder: Path | None
    seed: int


class _Planned(NamedTuple):
    """One run: a model at a temperature."""

    file: Path
    name: str
    generation: Generation
    model_files: str | None
    sampling: Sampling

    @property
    def is_complete(self) -> bool:
        return is_complete(self.file, self.generation, self.model_files)


def generated_runs(request: Request, space: ActionSpace, outputs: Outputs) -> Iterator[RolloutFile]:
    """The rollouts of each model at each temperature, generated as they are asked for, unless they are kept already.

    All rows and models are judged before anything is generated. Raises typer.BadParameter for wrong usage, typer.Exit
    for rows and models that cannot be used, ModuleNotFoundError for an engine that is not installed.
    """
    _check_temperatures(request.temperatures)
    with ExitStack() as stack:
        folder = request.folder or Path(stack.enter_context(TemporaryDirectory()))
        _make(folder)
        try:
            runs = _planned(request, folder, outputs)
            yield from _generated(runs, request, space)
        except GenerationError as error:
            refuse(str(error))


def _check_temperatures(temperatures: Sequence[float]) -> None:
    for value in temperatures:
        if not isfinite(value) or value < 0 or 0 < value < LEAST_TEMPERATURE:
            reason = f"a temperature is 0, for greedy, or at least {LEAST_TEMPERATURE}, not {value:g}"
            raise typer.BadParameter(reason, param_hint="--temperature")
    _check_distinct(temperatures, "--temperature")


def _check_distinct(values: Sequence[object], option: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise typer.BadParameter(f"{printable(str(value))} is named twice", param_hint=option)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}", param_hint="--generated") from None


def _planned(request: Request, folder: Path, outputs: Outputs) -> dict[str, list[_Planned]]:
    """The runs of each model, in order."""
    models = [*request.models, *(str(path) for run in request.runs for path in checkpoints(run))]
    _check_distinct(models, "--model")
    if request.data == STDIN or (request.data.exists() and not request.data.is_file()):
        raise typer.BadParameter("the rows are read more than once: name a file", param_hint="--data")
    with input_file(request.data) as source:
        keep_the_input(source, {f"--{name}": path for name, path in outputs._asdict().items()})
    engine, digest = resolved(request.engine), f"sha256:{sha256_of(request.data)}"
    runs: dict[str, list[_Planned]] = {}
    for model in models:
        model_files, shown = digest_of_model(model), model.encode(errors="replace").decode()
        for temperature in request.temperatures:
            sampling = Sampling(temperature, request.max_new_tokens, request.samples, request.seed)
            settings = {**sampling._asdict(), "seed": None if sampling.greedy else request.seed}
            generation = Generation(model=shown, engine=engine, data=digest, limit=request.limit, **settings)
            file = file_of(folder, generation, model_files)
            name = f"{shown} at temperature {temperature:g}" if len(request.temperatures) > 1 else shown
            runs.setdefault(model, []).append(_Planned(file, name, generation, model_files, sampling))
    return runs


def _generated(runs: dict[str, list[_Planned]], request: Request, space: ActionSpace) -> Iterator[RolloutFile]:
    missing = {model: [run for run in planned if not run.is_complete] for model, planned in runs.items()}
    if not any(missing.values()):
        yield from (RolloutFile(run.file, run.name, run.generation) for planned in runs.values() for run in planned)
        return
    # They import transformers.
    from trainer.generation.chat import Chat
    from trainer.generation.completions import Data, check

    data = Data(request.data, space, request.limit)
    with Console(stderr=True).status("reading the rows"):
        chats = {model: Chat(model) for model, absent in missing.items() if absent}
        checked = check(data, list(chats.values()), request.max_new_tokens)
    for model, planned in runs.items():
        if absent := missing[model]:
            chat = chats[model]
            longest = checked.longest[chat.fingerprint()] + request.max_new_tokens
            with Console(stderr=True).status(f"loading {printable(model)}"):
                engine = load_engine(absent[0].generation.engine, chat, longest)
            with closing(engine):
                for run in absent:
                    _write(run, data, chat, engine, checked.rows)
        yield from (RolloutFile(run.file, run.name, run.generation) for run in planned)


def _write(run: _Planned, data: "Data", chat: "Chat", engine: Engine, rows: int) -> None:
    """Generate a run's file, and record it once it is whole."""
    from trainer.generation.completions import generate

    rollouts = 0
    with output_file(run.file, "--generated") as opened, _progress() as progress:
        assert opened is not None
        task = progress.add_task(printable(run.name), total=rows)
        for row, completions in generate(data.rows(), chat, engine, run.sampling):
            for completion in completions:
                opened.write(orjson.dumps(rollout(row, completion), option=orjson.OPT_APPEND_NEWLINE))
                rollouts += 1
            progress.advance(task)
    record(run.file, run.generation, run.model_files, rollouts)


def _progress() -> Progress:
    """A bar over rows, on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    description = TextColumn("{task.description}")
    return Progress(description, *columns, console=console, transient=True, disable=not console.is_terminal)
