"""What came of a trial, as a row of a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from rich.table import Table


@dataclass
class Outcome:
    """A load, a fault under load, or an attack."""

    name: str
    asked: int = 0
    """Rollouts sent to be scored, each counted once however often it was tried."""
    tries: int = 0
    """HTTP requests that it took."""
    lost: int = 0
    """Rollouts without a reward."""
    wrong: int = 0
    """Rollouts with another reward than they have to earn."""
    twice: int = 0
    """Rollouts that the server counts above those asked; only where nothing was tried a second time."""
    longest_silence: float = 0.0
    """Seconds without any reward: how long the recovery took, from the client's side."""
    seconds: float = 0.0
    peak_mib: float = 0.0
    """Most memory that the server's processes had together."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, wrong or scored twice."""
        return not (self.lost or self.wrong or self.twice)

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"is_good": self.is_good}


def table(outcomes: Sequence[Outcome]) -> Table:
    shown = Table("trial", "rollouts", "tries", "lost", "wrong", "twice", "silence", "took", "memory", "notes")
    for outcome in outcomes:
        shown.add_row(
            outcome.name,
            f"{outcome.asked:,}",
            f"{outcome.tries:,}",
            f"{outcome.lost:,}",
            f"{outcome.wrong:,}",
            f"{outcome.twice:,}",
            f"{outcome.longest_silence:.1f} s",
            f"{outcome.seconds:.0f} s",
            f"{outcome.peak_mib:,.0f} MiB" if outcome.peak_mib else "",
            "; ".join(outcome.notes),
            style="" if outcome.is_good else "red",
        )
    return shown
