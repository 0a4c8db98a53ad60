"""All that decides what a tiny model becomes."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of the command; what each means is said there."""

    seed: int = 0
    shop: int = 1
    sessions: int = 6_500
    drill_steps: int = 300
    base_steps: int = 250
    answer_steps: int = 1_800
    rows: int = 16
    learning_rate: float = 2e-3
    vocabulary: int = 768
    width: int = 128
    layers: int = 3
    heads: int = 4
    feed_forward: int = 384
    held_out_shop: int = 2
    measured_steps: int = 500

    @property
    def command(self) -> str:
        """Every option written out, so that it stays true when a default changes."""
        options = [f"--{field.name.replace('_', '-')} {getattr(self, field.name)}" for field in fields(self)]
        lines = [" ".join(options[start : start + 4]) for start in range(0, len(options), 4)]
        return " \\\n  ".join(["python -m trainer.tiny_model FOLDER", *lines])
