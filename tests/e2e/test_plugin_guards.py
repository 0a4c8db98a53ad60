"""What keeps the plugin from being wrong in a vLLM it does not know, and from harming one that does not ask for it."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.vllm_server import PYTHON, SCORING
from tests.reward_server.certainty.tiny_models import write_model

pytestmark = pytest.mark.e2e

FOREIGN = "import vllm; vllm.__version__, vllm.__version_tuple__ = '0.99.1', (0, 99, 1)\n"


def run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A script in vLLM's own environment."""
    return subprocess.run(
        [PYTHON, "-c", script], capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"} | variables
    )


def launch(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", SCORING, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "300", "TERM": "dumb"} | variables,
    )


def test_an_unknown_version_is_refused_where_the_plugin_is_used_and_left_alone_elsewhere() -> None:
    script = """
from importlib.metadata import entry_points
from reward_server.vllm_plugin import models
from reward_server.vllm_plugin.endpoint import SelfCertaintyEndpoint
from reward_server.vllm_plugin.versions import UnsupportedVersion
(general,) = entry_points(group="vllm.general_plugins", name="shop-r1")
general.load()()
for use in (lambda: models.Qwen2ForSelfCertainty, lambda: SelfCertaintyEndpoint().attach_router(None)):
    try:
        use()
    except UnsupportedVersion as error:
        print(error)
"""
    done = run(FOREIGN + script)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if "0.32" in line]
    assert len(told) == 2
    assert "0.32 up to, not with, 0.33; this is 0.99.1" in told[0]


def test_an_unknown_version_may_be_tried_by_who_says_so() -> None:
    done = run(
        FOREIGN + "from reward_server.vllm_plugin import models; models.Qwen2ForSelfCertainty",
        SHOP_R1_UNTESTED_VLLM="1",
    )
    assert done.returncode == 0, done.stderr


def test_without_being_asked_for_nothing_of_vllm_is_changed() -> None:
    script = """
from vllm.v1.core.kv_cache_manager import KVCacheManager
before = KVCacheManager.get_computed_blocks
from vllm.plugins import load_general_plugins
load_general_plugins()
assert KVCacheManager.get_computed_blocks is before
from vllm import ModelRegistry
for name in ("Qwen2", "Qwen3", "Llama", "Mistral", "Gemma2", "Phi3", "GPT2"):
    assert f"{name}ForSelfCertainty" in ModelRegistry.get_supported_archs(), name
"""
    done = run(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "change",
    [
        "del KVCacheManager.create_kv_cache_blocks",
        "KVCacheManager.get_computed_blocks = lambda self, request, more: None",
        "KVCacheCoordinator.find_longest_cache_hit = lambda self, hashes: None",
    ],
)
def test_the_cap_is_not_put_on_a_cache_that_has_changed(change: str) -> None:
    script = f"""
from vllm.v1.core.kv_cache_coordinator import KVCacheCoordinator
from vllm.v1.core.kv_cache_manager import KVCacheManager
{change}
from reward_server.vllm_plugin import register
register()
"""
    done = run(script, SHOP_R1_CACHE_CAP="1")
    assert done.returncode == 1
    assert "has changed: unset SHOP_R1_CACHE_CAP to score without the cap" in done.stderr


def test_an_engine_whose_weights_failed_to_load_is_not_asked_again_even_by_a_reload(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "qwen2", 0)
    script = f"""
import asyncio
from types import SimpleNamespace
from transformers import AutoConfig
from reward_server.vllm_plugin import messages
from reward_server.vllm_plugin.measuring import Measuring, Unavailable
from reward_server.vllm_plugin.weights import Weights, now, tensors
from pathlib import Path

folder = Path({str(folder)!r})
config = AutoConfig.from_pretrained(folder)
names = ["Qwen2ForSelfCertainty"]
model = SimpleNamespace(get_vocab_size=lambda: 512, max_model_len=64, served_model_name="m", model=str(folder),
                        hf_text_config=config, architectures=names)

class Engine:
    errored = False
    vllm_config = SimpleNamespace(model_config=model)
    resumed = 0
    async def pause_generation(self, **_): pass
    async def resume_generation(self): self.resumed += 1
    async def reset_prefix_cache(self): return True
    async def collective_rpc(self, *_, **__): raise RuntimeError("out of memory in the middle")

async def scene():
    engine = Engine()
    measuring = Measuring(engine, Weights("first", now()), tensors(folder), None)
    request = messages.Request(prompt_token_ids=[1], completions=[{{"token_ids": [2], "span": [0, 1]}}])
    for act in (measuring.reload, measuring.reload):
        try:
            await act(messages.ReloadRequest(path=str(folder)))
        except Unavailable as error:
            print("reload:", error)
    engine.collective_rpc = None
    try:
        await measuring.measure(request)
    except Unavailable as error:
        print("measure:", error)
    print("resumed", engine.resumed)
asyncio.run(scene())
"""
    done = run(script)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()[-4:]
    assert [line.split(":")[0] for line in told] == ["reload", "reload", "measure", "resumed 1"]
    assert all("start vLLM again: out of memory in the middle" in line for line in told[:3])


def test_the_command_sets_vllm_up_and_passes_on_what_is_vllms(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "qwen3", 0)
    done = launch(
        folder, "--dry-run", "--max-model-len", "64", "--hf-overrides", '{"head_dtype": "model"}', VLLM_PLUGINS="other"
    )
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words[:2] == ["VLLM_PLUGINS=other,shop-r1", "SHOP_R1_CACHE_CAP=1"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--model") + 1] == str(folder)
    assert words[words.index("--runner") + 1] == "pooling"
    overrides = json.loads(words[words.index("--hf-overrides") + 1])
    assert overrides == {"architectures": ["Qwen3ForSelfCertainty"], "head_dtype": "model"}
    assert words[-2:] == ["--max-model-len", "64"]
    assert "SHOP_R1_CACHE_CAP=0" in launch(folder, "--dry-run", "--no-cache-cap").stdout


def test_the_command_refuses_what_is_no_decoder(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "qwen2", 0)
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["Qwen2ForSequenceClassification"]}))
    done = launch(folder, "--dry-run")
    assert done.returncode == 2
    assert "Qwen2ForSequenceClassification is no decoder-only language model" in done.stderr
    assert launch(tmp_path / "nowhere", "--dry-run").returncode == 2
    for options in (["--hf-overrides", "[1]"], ["--hf-overrides", '{"architectures": []}'], ["--runner", "generate"]):
        assert launch(folder, "--dry-run", *options).returncode == 2
    assert "MODEL comes first" in launch("--port", "8000", folder, "--dry-run").stderr
