"""Checks recipes with the OpenRLHF that this interpreter has, and says what came of it.

Standard input: a JSON list of [recipe, {key: value}]; standard output: a JSON object with `heavy`, the heavy modules
that were imported on the way, and `told`, for each recipe what is wrong with it, or null.
"""

import json
import sys

from trainer.openrlhf.checks.agreement import check_flags
from trainer.openrlhf.checks.readiness import Start, read_flags
from trainer.openrlhf.problems import RunProblem
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.command import Where


def problem(name, changes):
    """What OpenRLHF or our own rules say against a recipe."""
    try:
        recipe = read_recipe(name, changes.items())
        flags, _ = read_flags(Start(name, recipe, Where()))
        check_flags(recipe, flags)
    except RunProblem as error:
        return f"{type(error).__name__}: {error}"
    return None


def main():
    told = [problem(name, changes) for name, changes in json.load(sys.stdin)]
    heavy = {"deepspeed", "openrlhf", "ray", "torch", "transformers", "vllm"} & sys.modules.keys()
    json.dump({"told": told, "heavy": sorted(heavy)}, sys.stdout)


if __name__ == "__main__":
    main()
