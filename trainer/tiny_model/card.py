"""The model card: what a tiny model is, what it is not, how it was made and what was measured."""

from typing import NamedTuple

from trainer.tiny_model.architecture import LONGEST
from trainer.tiny_model.examples import ALONE, LAYOUTS, USUAL
from trainer.tiny_model.measure import Accuracy, Figures
from trainer.tiny_model.recipe import Recipe


class Making(NamedTuple):
    """How a model was made."""

    recipe: Recipe
    parameters: int
    vocabulary: int
    examples: int
    minutes: float
    """Of processor time, from the first session to the last step."""
    libraries: str


def model_card(making: Making, figures: Figures) -> str:
    """Markdown, with the metadata that Hugging Face reads at its top."""
    recipe = making.recipe
    sure = figures.certainty
    return f"""---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [shop-r1, demo]
---

# A tiny shopper

A Qwen2-style language model of {making.parameters:,} parameters that plays a shopper in a simulated web shop: it reads
a page, says why it acts, and acts. It is a demo: small enough to come with the reward server and to answer in
milliseconds on a CPU, and large enough that its self-certainty means something on the pages of this shop.

**What it is not.** It knows one simulated shop, its 800 things and a few dozen sentences: no other English, no real
shop, no page that is laid out in another way. It copies names but hardly compares them: that a list holds just what was
searched for escapes it. It learnt on prompts of a few hundred tokens; up to {LONGEST:,} are taken, and what it makes of
long ones is worth little. Do not train with its certainty: the paper rewards that of the policy itself.

## How it was made

From nothing, in {making.minutes:.1f} minutes of processor time, with {making.libraries}:

```sh
{recipe.command}
```

The command gives the same weights again on the same kind of machine with the same libraries.

- **Data**: the {making.examples:,} steps of {recipe.sessions:,} sessions of the storefront's shop {recipe.shop}, none
  of which is anybody's data. Prompts are those of `shop-r1 data rl --first-step`, {LAYOUTS[USUAL]:.0%} of them with
  `--prompt short --context latest-step` and the rest in its other layouts; {ALONE:.0%} of the answers have no prompt.
- **Steps** of {recipe.rows} examples each: {recipe.drill_steps:,} of copy drill, {recipe.base_steps:,} of prompts and
  copy drill, {recipe.answer_steps:,} of answers. The drill is random tokens repeated over and over, without which so
  small a model does not learn to copy names off a page. One attention head begins by looking at the token before.
- **Tokenizer**: byte-level BPE of {making.vocabulary:,} tokens that cuts text as Qwen2 does, and ChatML.

## What was measured

On {figures.steps:,} steps of shop {recipe.held_out_shop}, none of which it had seen, answered greedily after the latest
page:

| | valid JSON | right action type | exactly right |
|---|---|---|---|
| this model | {_shares(figures.accuracy)} |
| the best that anyone can reach, from all pages so far | {_shares(figures.best)} |

Self-certainty KL(p‖U) of rationales in nats, which is at most ln {making.vocabulary:,} = \
{figures.largest_certainty:.2f}:

| rationale | mean |
|---|---|
| the shopper's own | {sure.true:.2f} |
| the same without any prompt | {sure.true_alone:.2f} |
| that of another step | {sure.of_another_step:.2f} |
| the shopper's own words in random order | {sure.shuffled:.2f} |
| as many words at random | {sure.random_words:.2f} |
"""


def _shares(accuracy: Accuracy) -> str:
    return " | ".join(f"{share:.1%}" for share in accuracy)
