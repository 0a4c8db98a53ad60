"""Writes the table of values into chart/README.md, from the `# -- …` comments of chart/values.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

CHART = Path(__file__).parent / "chart"
BEGIN, END = "<!-- values: written by k8s/chart_readme.py -->\n", "<!-- end of values -->\n"


class Value(NamedTuple):
    """One value of the chart: its path, its default as written, and what the comment above it says."""

    path: str
    default: object
    description: str


def values(text: str) -> Iterator[Value]:
    """Every value with a comment of its own, in the file's order. Raises ValueError for one that nobody describes."""
    yield from _described(yaml.compose(text), "", text.splitlines())


def _described(node: yaml.Node, prefix: str, lines: list[str]) -> Iterator[Value]:
    assert isinstance(node, yaml.MappingNode)
    for key, child in node.value:
        path = f"{prefix}{key.value}"
        description = _comment_above(key.start_mark.line, lines)
        if description:
            yield Value(path, yaml.safe_load(yaml.serialize(child)), description)
        elif isinstance(child, yaml.MappingNode) and child.value:
            yield from _described(child, f"{path}.", lines)
        else:
            raise ValueError(f"values.yaml: no comment describes {path}")


def _comment_above(line: int, lines: list[str]) -> str:
    """What follows `-- ` in the comment that ends just above a line."""
    comment: list[str] = []
    while line > 0 and (text := lines[line - 1].strip()).startswith("#"):
        comment.insert(0, text.removeprefix("#").strip())
        line -= 1
        if comment[0].startswith("-- "):
            return " ".join(comment).removeprefix("-- ")
    return ""


def table() -> str:
    """All values as a Markdown table."""
    found = values((CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = [f"| `{value.path}` | `{_one_line(value.default)}` | {value.description} |\n" for value in found]
    return f"| value | default | |\n|---|---|---|\n{''.join(rows)}"


def _one_line(default: object) -> str:
    text = yaml.safe_dump(default, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()


def readme() -> str:
    """The README with a new table."""
    before, _, rest = (CHART / "README.md").read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme(), encoding="utf-8")
