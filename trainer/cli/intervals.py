"""Options of every command that gives bootstrap intervals."""

from typing import Annotated

import typer


def _between_0_and_1(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise typer.BadParameter("a confidence is between 0 and 1, such as 0.95")
    return confidence


ResamplesOption = Annotated[
    int, typer.Option("--resamples", min=100, max=100_000, help="Bootstrap resamples behind the intervals.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of all that is drawn at random.")]
ConfidenceOption = Annotated[
    float, typer.Option("--confidence", callback=_between_0_and_1, help="Of the intervals, between 0 and 1.")
]
