"""Time per rollout of the scoring core, beside the same reward written with `json` and `rouge-score`, in one run.

    python -m benchmarks.scoring_core

1,024 rollouts in groups of 8 that share a label, with completions of about 760 bytes: label types in the paper's
shares, names as long as a shop's, predictions as an SFT model makes them. Both sides must agree on every reward.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.arguments import no_arguments
from benchmarks.peer import reward as peer_reward
from reward_server import wire
from reward_server.reward.spec import load_preset
from reward_server.scoring import Scorer

GROUPS, GROUP_SIZE, ROUNDS = 128, 8, 15
LOOP = asyncio.Runner()
SCORER = Scorer(load_preset("shop-r1-no-rationale"), None)

# Table A1 of the paper: train labels per type.
SHARES = {"click": 64_578, "type_and_submit": 68_000, "terminate": 44_371}
# Element names as ShopCART's recipe gives them (slugs of 20 characters), and as OPeRA has them (whole product titles).
PRODUCTS = (
    "tiger_jbv_s18u_10_cup_micom_rice_cooker_with_food_steamer_white",
    "wireless_gaming_mouse_rgb_rechargeable_2_4_ghz_silent_click",
    "stainless_steel_water_bottle_32_oz_with_straw_lid_and_handle",
    "kids_rain_jacket_waterproof_hooded_size_6_yellow",
    "usb_c_cable_6_ft_3_pack_fast_charging_braided",
)
SHORT_NAMES = (
    "refinements.customer_reviews.4_stars__up",
    "add_to_cart.buy_now",
    "pagination.2",
    *(f"search_results.{product[:20]}.view_product" for product in PRODUCTS),
)
LONG_NAMES = tuple(f"4_stars_and_above.{product}.product_title" for product in PRODUCTS)
QUERIES = (
    "rice cooker 10 cup white",
    "wireless gaming mouse rgb",
    "kids rain jacket size 6",
    "usb c cable 6 ft 3 pack",
)
RATIONALE = "I compare the price with what I wanted to spend, and the reviews look good to me. " * 8

WORKLOADS = (
    ("OPeRA's names, all of the right type", LONG_NAMES, 1.0),
    ("OPeRA's names, some of a wrong type", LONG_NAMES, 0.6),
    ("ShopCART's names, all of the right type", SHORT_NAMES, 1.0),
    ("ShopCART's names, some of a wrong type", SHORT_NAMES, 0.6),
)

Batch = list[wire.Rollout]


def make_batch(rng: random.Random, names: Sequence[str], type_accuracy: float) -> Batch:
    """Groups of rollouts; those of the right type are right or near, the rest are of any type; one in twenty is cut."""
    batch = []
    for _ in range(GROUPS):
        label = action(rng.choices(tuple(SHARES), SHARES.values())[0], names, rng)
        for _ in range(GROUP_SIZE):
            predicted = (
                rng.choice((label, near(label, rng)))
                if rng.random() < type_accuracy
                else action(rng.choice(tuple(SHARES)), names, rng)
            )
            text = json.dumps({"rationale": RATIONALE, "action": predicted})
            batch.append(wire.Rollout(completion=text if rng.random() > 0.05 else text[:-5], label=label))
    return batch


def action(kind: str, names: Sequence[str], rng: random.Random) -> dict[str, str]:
    fields = {
        "click": {"name": rng.choice(names)},
        "type_and_submit": {"name": "search_input", "text": rng.choice(QUERIES)},
    }
    return {"type": kind, **fields.get(kind, {})}


def near(label: dict[str, str], rng: random.Random) -> dict[str, str]:
    """The label with a word more at the end of its last field, if it has one."""
    *_, last = label
    return label if last == "type" else {**label, last: label[last] + rng.choice((" 2", ".x", "_blue"))}


def ours(batch: Batch) -> list[float]:
    return [item.card.reward for item in LOOP.run(SCORER.score(batch))]


def peer(batch: Batch) -> list[float]:
    return [peer_reward(rollout.completion, rollout.label) for rollout in batch]


def just_parse(batch: Batch) -> list[float]:
    for rollout in batch:
        try:
            orjson.loads(rollout.completion)
        except orjson.JSONDecodeError:
            continue
    return []


def microseconds(run: Callable[[Batch], list[float]], batch: Batch) -> float:
    """Time per rollout."""
    started = perf_counter()
    run(batch)
    return (perf_counter() - started) / len(batch) * 1e6


def measure(batch: Batch) -> dict[str, float]:
    """Median time per rollout of each side; the rounds take turns, so that a slow moment hits all."""
    differences = [abs(a - b) for a, b in zip(ours(batch), peer(batch), strict=True)]
    assert max(differences) < 1e-9, "the peer computes another reward"
    runs = {"this core": ours, "json + rouge-score": peer, "orjson, parsing alone": just_parse}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in track(range(ROUNDS), "timing", transient=True):
        for name, run in runs.items():
            times[name].append(microseconds(run, batch))
    return {name: median(measured) for name, measured in times.items()}


def main() -> None:
    table = Table(
        title=f"µs per rollout, {GROUPS * GROUP_SIZE:,} rollouts, median of {ROUNDS} rounds", title_justify="left"
    )
    for column in (
        "predictions",
        "bytes",
        "this core",
        "json + rouge-score",
        "peer / ours",
        "orjson, parsing alone",
        "ours / orjson",
    ):
        table.add_column(column, justify="left" if column == "predictions" else "right")
    for name, names, type_accuracy in WORKLOADS:
        batch = make_batch(random.Random(1), names, type_accuracy)
        size = sum(len(rollout.completion.encode()) for rollout in batch) // len(batch)
        own, other, floor = measure(batch).values()
        table.add_row(
            name,
            str(size),
            f"{own:.2f}",
            f"{other:.2f}",
            f"{other / own:.1f} ×",
            f"{floor:.2f}",
            f"{own / floor:.1f} ×",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    no_arguments(__doc__)
    main()
