"""`shop-r1`: the commands of the trainer."""

from trainer.cli.app import run

__all__ = ["run"]
