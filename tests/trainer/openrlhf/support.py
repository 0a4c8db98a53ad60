"""Rows as `shop-r1 data` writes them, and a checkpoint as DeepSpeed leaves it."""

from trainer.openrlhf.run.folder import RunFolder

SYSTEM, USER = {"role": "system", "content": "Shop."}, {"role": "user", "content": "<p>page</p>"}
ANSWER = {"role": "assistant", "content": "{}"}
RL = {"prompt": [SYSTEM, USER], "label": '{"type":"terminate"}', "step": 2}
SFT = {"messages": [SYSTEM, USER, ANSWER], "steps": [1]}


def saved(folder: RunFolder, tag: str = "global_step50", actor: str = "_actor") -> None:
    """Leave a checkpoint of step 50 in a run's folder, and let `latest` name the tag."""
    place = folder.checkpoints / actor
    (place / "global_step50").mkdir(parents=True)
    (place / "global_step50" / "mp_rank_00_model_states.pt").touch()
    (place / "latest").write_text(tag)
