"""Recipes: the shipped ones say what the paper says, and a wrong one is told by file, key and reason."""

from pathlib import Path

import pytest

from reward_server.reward.spec import load_preset
from trainer.openrlhf.problems import RecipeError
from trainer.openrlhf.recipe.recipe import Recipe, find_recipe, read_recipe, recipe_names
from trainer.openrlhf.recipe.yaml_text import dump_yaml


def said(name: object, *changes: tuple[str, object]) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(str(name), changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# Section 4 of the paper: 4 epochs at 2e-5; 500 steps at 1e-7, batch 64, temperature 0.6, contexts of 32k tokens.
def test_the_recipes_of_the_paper_have_its_numbers() -> None:
    sft, grpo = read_recipe("sft").flags, read_recipe("grpo").flags
    assert (sft["train.max_epochs"], sft["adam.lr"], sft["data.max_len"]) == (4, 2e-5, 32 * 1024)
    assert (grpo["actor.adam.lr"], grpo["train.batch_size"], grpo["rollout.temperature"]) == (1e-7, 64, 0.6)
    prompts, samples = grpo["rollout.batch_size"], grpo["rollout.n_samples_per_prompt"]
    assert isinstance(prompts, int)
    assert isinstance(samples, int)
    assert prompts * samples == 64
    assert grpo["data.max_samples"] == 500 * prompts


# Table 4, row by row: what each leaves out of the full recipe, and nothing else.
@pytest.mark.parametrize(
    ("name", "differs"),
    [
        ("grpo-no-sft", {"model"}),
        ("grpo-no-format", {"server.spec"}),
        ("grpo-no-rationale", {"server.spec", "server.certainty"}),
        ("grpo-no-dars", {"server.spec"}),
        ("grpo-binary", {"server.spec"}),
    ],
)
def test_an_ablation_differs_from_the_full_recipe_in_what_it_ablates(name: str, differs: set[str]) -> None:
    def leaves(recipe: Recipe) -> dict[str, object]:
        values = recipe.as_dict()
        server = values.pop("server")
        return {**values, **{f"server.{key}": value for key, value in server.items()}}

    full, ablated = leaves(read_recipe("grpo")), leaves(read_recipe(name))
    assert {key for key in full if full[key] != ablated[key]} - {"description", "out"} == differs


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("grpo")])
def test_every_recipe_names_a_spec_that_is_there_and_fits_its_certainty(name: str) -> None:
    server = read_recipe(name).server
    assert server is not None
    assert load_preset(server.spec).needs_certainty == (server.certainty != "none")


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_as_resolved_is_a_recipe_again(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    file = written(tmp_path, "recipe.yaml", dump_yaml(recipe.as_dict()))
    assert read_recipe(str(file)) == recipe


def test_a_short_name_stands_for_a_recipe_of_the_command_s_kind() -> None:
    assert find_recipe("3b", "grpo") == "grpo-3b"
    assert find_recipe("3b", "sft") == "sft-3b"
    assert find_recipe("cpu-smoke", "grpo") == "grpo-cpu-smoke"
    assert find_recipe("grpo", "grpo") == "grpo"
    assert find_recipe("mine/own.yaml", "grpo") == "mine/own.yaml"
    with pytest.raises(LookupError, match="no recipe 'own'; there are grpo, "):
        find_recipe("own", "grpo")


def test_a_recipe_starts_from_another_and_states_what_differs(tmp_path: Path) -> None:
    written(
        tmp_path, "base.yaml", "extends: grpo\nopenrlhf: {actor: {adam: {lr: 1e-6}}, ds: {packing_samples: null}}\n"
    )
    (tmp_path / "deeper").mkdir()
    top = written(tmp_path / "deeper", "mine.yaml", "extends: ../base.yaml\nnodes: 2\n")
    mine, grpo = read_recipe(str(top)), read_recipe("grpo")
    assert (mine.nodes, mine.flags["actor.adam.lr"], mine.out) == (2, 1e-6, "runs/mine")
    assert grpo.flags.keys() - mine.flags.keys() == {"ds.packing_samples"}


def test_changes_go_on_top(tmp_path: Path) -> None:
    recipe = read_recipe("grpo", [("openrlhf.ckpt.save_hf", False), ("server.spec", "binary"), ("stall_minutes", 11)])
    assert recipe.server is not None
    assert (recipe.flags["ckpt.save_hf"], recipe.server.spec, recipe.stall_minutes) == (False, "binary", 11.0)


def test_recipes_that_extend_one_another_in_a_circle_are_refused(tmp_path: Path) -> None:
    a = written(tmp_path, "a.yaml", "extends: b.yaml\n")
    written(tmp_path, "b.yaml", "extends: ./a.yaml\n")
    assert "in a circle" in said(a)


def test_a_chain_without_end_is_cut(tmp_path: Path) -> None:
    for number in range(20):
        written(tmp_path, f"{number}.yaml", f"extends: {number + 1}.yaml\n")
    assert "more than 16" in said(tmp_path / "0.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: grpo\nlearning_rate: 1", "mine.yaml: learning_rate: no such key; there are description, "),
        ("extends: grpo\nserver: {sepc: x}", "mine.yaml: server.sepc: no such key; there are url, spec"),
        ("extends: grpo\nnodes: two", "mine.yaml: nodes: Input should be a valid integer"),
        ("extends: grpo\nnodes: true", "mine.yaml: nodes: Input should be a valid integer"),
        ("extends: grpo\nnodes: 0", "mine.yaml: nodes: "),
        ("extends: grpo\nstall_minutes: .inf", "mine.yaml: stall_minutes: "),
        ("extends: sft\nstall_minutes: 0.5", "mine.yaml: stall_minutes: "),
        (
            "extends: grpo\nopenrlhf: {actor: {adam: {betas: [0.9, --x=y]}}}",
            "mine.yaml: openrlhf.actor.adam.betas: '--x=y'",
        ),
        (
            "extends: grpo\nopenrlhf: {eval: {dataset: --x}}",
            "mine.yaml: openrlhf.eval.dataset: '--x' begins with a dash",
        ),
        ("extends: grpo\nactor_gpus_per_node: 9", "mine.yaml: actor_gpus_per_node: 9 of 8 GPUs"),
        ("extends: grpo\nserver: {top_k: 21}", "mine.yaml: server.top_k: "),
        ("extends: grpo\nserver: {agent: plain}", "mine.yaml: server.agent: OpenRLHF's own call carries no"),
        ("extends: grpo\nserver: {url: 'http://me:KEY@host'}", "mine.yaml: server.url: it holds a user or a key"),
        ("extends: grpo\nserver: {url: 'http://host/score?spec=x'}", "mine.yaml: server.url: spec, digest and run"),
        (
            "extends: grpo\nserver: {url: [http://a, 'http://me:KEY@b']}",
            "mine.yaml: server.url: it holds a user or a key",
        ),
        ("extends: grpo\nserver: {url: 'http://a,http://b'}", "mine.yaml: server.url: of several servers, a list"),
        ("extends: grpo\nserver: {url: []}", "mine.yaml: server.url: an address, or a list of them"),
        ("extends: grpo\nserver: {url: [http://a, 5]}", "mine.yaml: server.url: an address, or a list of them"),
        ("extends: grpo\nserver: {url: 5}", "mine.yaml: server.url: an address, or a list of them"),
        ("extends: grpo\nserver: {tls: {ca: x}}", "mine.yaml: server.tls.ca: no such key; there are ca_file, certif"),
        (
            "extends: grpo-no-rationale\nserver: {agent: plain, tls: {ca_file: x}}",
            "mine.yaml: server.agent: OpenRLHF's own call takes no files for TLS",
        ),
        ("extends: sft\nserver: {spec: binary}", "mine.yaml: server: only a recipe with trainer: grpo"),
        ("extends: grpo\nserver: null", "mine.yaml: server: a recipe with trainer: grpo needs one"),
        ("extends: grpo\nopenrlhf: {actor.adam.lr: 1}", "mine.yaml: openrlhf.actor.adam.lr: "),
        ("extends: grpo\nopenrlhf: {reward: {clip_range: []}}", "mine.yaml: openrlhf.reward.clip_range: an empty"),
        ("extends: grpo\nnodes: 1\nnodes: 2", "mine.yaml: line 3, column 1: the key 'nodes' is given twice"),
        ("extends: [grpo]", "mine.yaml: extends: the name of a recipe"),
        ("extends: grop", "mine.yaml: extends: no recipe 'grop'; there are"),
        ("extends: gone.yaml", "No such file or directory"),
        ("- grpo", "mine.yaml: a recipe is a map of keys"),
        ("trainer: grpo", "mine.yaml: model: Field required"),
        ("", "mine.yaml: a recipe is a map of keys"),
    ],
)
def test_a_wrong_recipe_is_told_by_file_key_and_reason(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in said(written(tmp_path, "mine.yaml", text))


@pytest.mark.parametrize(
    ("trainer", "flag", "key"),
    [
        ("grpo", "actor.model_name_or_path", "model"),
        ("grpo", "data.prompt_dataset", "data"),
        ("grpo", "ckpt.path", "out"),
        ("grpo", "actor.num_gpus_per_node", "gpus_per_node"),
        ("grpo", "reward.remote_url", "server"),
        ("grpo", "train.agent_func_path", "server.agent"),
        ("grpo", "ckpt.load_enable", "--resume"),
        ("grpo", "logger.wandb.key", "WANDB_API_KEY"),
        ("sft", "data.multiturn", "data"),
        ("sft", "model.model_name_or_path", "model"),
    ],
)
def test_a_flag_that_follows_from_the_recipe_cannot_be_set_past_it(trainer: str, flag: str, key: str) -> None:
    told = said(trainer, (f"openrlhf.{flag}", "x"))
    assert told.startswith(f"--set: openrlhf.{flag}: ")
    assert key in told.partition("set it by")[2]


def test_the_file_at_fault_is_named_even_under_another(tmp_path: Path) -> None:
    written(tmp_path, "base.yaml", "extends: grpo\nnodes: none\n")
    top = written(tmp_path, "top.yaml", "extends: base.yaml\ndevice: gpu\n")
    assert said(top).startswith("base.yaml: nodes: ")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in said(tmp_path / "mine.yaml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    assert "mine.yaml: Is a directory" in said(tmp_path / "mine.yaml")
