"""What a PromQL expression names, and whether a server exports it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Samples = Mapping[str, Sequence[Mapping[str, str]]]
"""The label sets of each sample name that servers export."""

TARGET_LABELS = frozenset({"namespace", "job", "instance", "reward_version"})
"""What the scrape adds; the chart's ServiceMonitor sets the last."""

OF_PROMETHEUS = {"up": frozenset[str](), "ALERTS": frozenset({"alertname", "alertstate"})}
"""Series that no server exports, with their own labels."""

_WORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "without", "ignoring", "group_left", "group_right"}
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


@dataclass(frozen=True)
class Selector:
    """A metric, and the matchers that choose some of its series."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """As Prometheus has it: a label that is not there is empty, a regular expression holds from end to end."""
        return all(_matches(labels.get(name, ""), operator, value) for name, operator, value in self.matchers)


def _matches(label: str, operator: str, value: str) -> bool:
    found = re.fullmatch(value, label) is not None if "~" in operator else label == value
    return found is not operator.startswith("!")


def selectors(expression: str) -> list[Selector]:
    """Every metric that is read, with its matchers."""
    braced = re.findall(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}", expression)
    found = [Selector(metric, tuple(_MATCHER.findall(inside))) for metric, inside in braced]
    rest = re.sub(r'[a-zA-Z_:][\w:]*\s*\{[^}]*\}|\[[^\]]*\]|"[^"]*"', " ", expression)
    rest = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", rest)
    names = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)(?!\w*\s*\()", rest)
    return found + [Selector(name) for name in names if name not in _WORDS]


def grouping(expression: str) -> set[str]:
    """The labels that it groups, joins or keeps by."""
    lists = re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", expression)
    return {name.strip() for names in lists for name in names.split(",") if name.strip()}


def faults(expression: str, exported: Samples) -> list[str]:
    """What it names that no server exports; nothing for a sound expression."""
    found, known = [], set(TARGET_LABELS)
    for selector in selectors(expression):
        named = {name for name, _, _ in selector.matchers}
        if selector.metric in OF_PROMETHEUS:
            labels = OF_PROMETHEUS[selector.metric]
        elif selector.metric in exported:
            labels = frozenset(name for series in exported[selector.metric] for name in series)
            own = tuple(matcher for matcher in selector.matchers if matcher[0] not in TARGET_LABELS)
            if not any(Selector(selector.metric, own).matches(series) for series in exported[selector.metric]):
                found.append(f"no series of {selector.metric} has {own}")
        else:
            found.append(f"no metric {selector.metric}")
            continue
        found += [f"{selector.metric} has no label {name}" for name in sorted(named - labels - TARGET_LABELS)]
        known |= labels
    return found + [f"nothing here has the label {name}" for name in sorted(grouping(expression) - known)]


def queries_in(markdown: str) -> list[str]:
    """The expressions of a document's promql blocks: one begins at each line that is not indented."""
    blocks = re.findall(r"```promql\n(.*?)```", markdown, re.DOTALL)
    return [query for block in blocks for query in re.findall(r"^\S.*(?:\n[ \t]+.*)*", block, re.MULTILINE)]
