"""PromQL: which series the dashboard's variables choose, and what is asked of them, added up over pods."""

PODS = 'namespace=~"$namespace", job=~"$job", reward_version=~"$version"'
SCORING = f'{PODS}, route=~"/score|/get_reward"'
SPEC = f'{PODS}, spec=~"$spec"'
RUN = f'{SPEC}, run=~"$run"'


def rate(metric: str, chosen: str, *by: str) -> str:
    """A counter's rate per second."""
    return f"sum by ({', '.join(by)}) (rate({metric}{{{chosen}}}[$__rate_interval]))"


def fraction(part: str, whole: str) -> str:
    """One rate over another with the same labels; 0 where there is nothing of it yet."""
    return f"({part} or 0 * {whole}) / {whole}"


def share(part: str, whole: str, *by: str) -> str:
    """One rate over another that has only the labels `by`."""
    return f"{part} / on ({', '.join(by)}) group_left {whole}"


def mean(histogram: str, chosen: str, *by: str) -> str:
    """The mean of a histogram's observations."""
    return f"{rate(f'{histogram}_sum', chosen, *by)} / {rate(f'{histogram}_count', chosen, *by)}"


def quantile(q: float, histogram: str, chosen: str, *by: str) -> str:
    """A quantile of a histogram's observations."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', chosen, 'le', *by)})"


def total(metric: str, chosen: str, *by: str) -> str:
    """How much a counter rose over the time shown."""
    return f"sum by ({', '.join(by)}) (increase({metric}{{{chosen}}}[$__range]))"
