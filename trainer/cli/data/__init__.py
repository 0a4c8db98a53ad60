"""`shop-r1 data`: make, read, check and build shopping sessions. One module per command, or pair of commands."""

from trainer.cli.data.app import data_app

__all__ = ["data_app"]
