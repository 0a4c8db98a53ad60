"""The sub-commands of `shop-r1 data`."""

import typer

from trainer.cli.data.build import rl, sft
from trainer.cli.data.check import check
from trainer.cli.data.convert import opera, shopcart
from trainer.cli.data.rationales import rationales
from trainer.cli.data.simplify import simplify
from trainer.cli.data.split import split
from trainer.cli.data.storefront import storefront

data_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make, check and build shopping sessions. Commands that read sessions take the built-in storefront's when no "
    "file is named.",
)
data_app.command(epilog="Example: `shop-r1 data storefront sessions.jsonl --sessions 5000 --size tiny`")(storefront)
data_app.command(epilog="Example: `shop-r1 data opera action.parquet --users user.parquet --out sessions.jsonl`")(opera)
data_app.command(epilog="Example: `shop-r1 data shopcart shopcart.parquet --out sessions.jsonl`")(shopcart)
data_app.command(epilog="Example: `shop-r1 data simplify page.html --names`")(simplify)
data_app.command(epilog="Example: `shop-r1 data split sessions.jsonl --out splits --by user`")(split)
data_app.command(epilog="Example: `shop-r1 data check splits/train.jsonl splits/test.jsonl --apart user`")(check)
data_app.command(
    epilog="Example: `shop-r1 data rationales sessions.jsonl --out filled.jsonl --base-url http://127.0.0.1:8000/v1 "
    "--model Qwen2.5-7B-Instruct`"
)(rationales)
data_app.command(
    epilog="Example: `shop-r1 data sft splits/train.jsonl --out sft.jsonl --tokenizer Qwen2.5-3B-Instruct "
    "--max-length 32768`"
)(sft)
data_app.command(epilog="Example: `shop-r1 data rl splits/train.jsonl --out rl.jsonl --balance paper`")(rl)
