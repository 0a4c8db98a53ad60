"""Tables of figures, shown here and kept in docs/performance.md."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def publish(name: str, *tables: Table) -> None:
    """Print tables, and put them where the page has `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises ValueError where it has not.
    """
    console = Console(width=160)
    for table in tables:
        console.print(table)
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE} has no place for {name}")
    shown = "\n".join(map(_markdown, tables))
    PAGE.write_text(f"{before}{begin}\n{shown}\n{end}{after}", encoding="utf-8")


def _markdown(table: Table) -> str:
    columns = [[str(cell) for cell in (column.header, *column.cells)] for column in table.columns]
    heading, *rows = zip(*columns, strict=True)
    rules = ["---:" if column.justify == "right" else "---" for column in table.columns]
    lines = ["| " + " | ".join(row) + " |" for row in (heading, rules, *rows)]
    return "\n".join([*([f"{table.title}:\n"] if table.title else []), *lines, ""])
