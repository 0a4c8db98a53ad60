"""What the dashboard shows: a question a row."""

from collections.abc import Iterable

from k8s.dashboard.panels import Json, graph, heat, number, table
from k8s.dashboard.queries import PODS, RUN, SCORING, SPEC, fraction, mean, quantile, rate, share, total


def health() -> Iterable[Json]:
    """Are the servers there, and do they answer?"""
    requests, seconds = "shop_r1_http_requests_total", "shop_r1_http_request_duration_seconds"
    failed = f'{SCORING}, status=~"5.."'
    waiting = f"shop_r1_http_requests_in_flight{{{PODS}}} - 1"
    yield number("Ready servers", "short", f"sum(shop_r1_ready{{{PODS}}})")
    yield number("Servers not ready", "short", f"sum(1 - shop_r1_ready{{{PODS}}})", bad_above=1)
    yield number("Requests to score", "reqps", rate(requests, SCORING))
    yield number(
        "Failed", "percentunit", fraction(rate(requests, failed), rate(requests, SCORING)), bad_above=0.05, why="5xx."
    )
    yield number("95 % within", "s", quantile(0.95, seconds, SCORING), bad_above=60)
    yield number("In flight", "short", f"sum({waiting})", why="The scrape itself is taken off.")
    yield graph("Requests to score", "reqps", (rate(requests, SCORING, "status"), "{{status}}"), stack=True)
    yield graph("Latency", "s", *((quantile(q, seconds, SCORING), f"{q:.0%}") for q in (0.5, 0.95, 0.99)))
    yield graph("In flight", "short", (waiting, "{{instance}}"), stack=True)
    yield graph(
        "Waiting their turn",
        "short",
        (f"shop_r1_http_requests_waiting{{{PODS}}}", "{{instance}}"),
        stack=True,
        why="Their bodies are unread.",
    )
    yield graph(
        "Bytes of bodies held", "bytes", (f"shop_r1_http_request_bytes_held{{{PODS}}}", "{{instance}}"), stack=True
    )
    yield graph("Refused requests", "reqps", (rate("shop_r1_problems_total", PODS, "problem"), "{{problem}}"))
    yield graph("Batches scored", "ops", (rate("shop_r1_batches_total", PODS, "dialect"), "{{dialect}}"))
    yield graph("Rollouts scored", "ops", (rate("shop_r1_rollouts_total", SPEC, "spec"), "{{spec}}"))
    yield graph("CPU", "short", (rate("process_cpu_seconds_total", PODS, "instance"), "{{instance}}"), why="Cores.")
    yield graph("Memory", "bytes", (f"process_resident_memory_bytes{{{PODS}}}", "{{instance}}"))
    yield graph(
        "Open files", "short", (f"process_open_fds{{{PODS}}}", "{{instance}}"), why="Connections are most of them."
    )


def rewards() -> Iterable[Json]:
    """What do rollouts earn, and for what?"""
    label = rate("shop_r1_predictions_total", SPEC, "label_type")
    zero, groups = f'{SPEC}, variance="zero"', "shop_r1_groups_total"
    value, others = f'{SPEC}, term="value"', f'{SPEC}, term!="value"'
    by, legend = ("spec", "term"), "{{spec}} {{term}}"
    yield graph("Mean score", "percentunit", (mean("shop_r1_score", SPEC, "spec"), "{{spec}}"), why="Of the best.")
    yield heat("Scores", rate("shop_r1_score_bucket", SPEC, "le"), why="Rollouts per second, by score.")
    yield graph(
        "Exact matches",
        "percentunit",
        (fraction(rate("shop_r1_exact_matches_total", SPEC, "label_type"), label), "{{label_type}}"),
        why="Of all rollouts with a label of that type.",
    )
    yield graph("Mean of the value term", "short", (mean("shop_r1_term", value, *by), legend), negative=True)
    yield graph("Mean of each other term", "short", (mean("shop_r1_term", others, *by), legend), negative=True)
    yield graph(
        "Groups without variance",
        "percentunit",
        (fraction(rate(groups, zero, "spec"), rate(groups, SPEC, "spec")), "{{spec}}"),
        why="All rollouts earned the same: no gradient. Only of requests that carry groups.",
    )


def predictions() -> Iterable[Json]:
    """Does the policy do what shoppers do, or what pays?"""
    name = "shop_r1_predictions_total"
    whole = rate(name, SPEC)
    predicted, labelled = (f'{SPEC}, {which}_type="terminate"' for which in ("predicted", "label"))
    yield graph(
        "Terminate",
        "percentunit",
        (fraction(rate(name, predicted), whole), "predicted"),
        (fraction(rate(name, labelled), whole), "labels"),
        why="Far above its share of the labels, terminating is what pays.",
    )
    yield graph(
        "Predicted types",
        "percentunit",
        (share(rate(name, SPEC, "predicted_type"), whole), "{{predicted_type}}"),
        stack=True,
    )
    yield graph(
        "Types of the labels",
        "percentunit",
        (share(rate(name, SPEC, "label_type"), whole), "{{label_type}}"),
        stack=True,
    )
    yield table(
        "Labels (rows) and predictions",
        total(name, SPEC, "label_type", "predicted_type"),
        width=24,
        matrix={"rowField": "label_type", "columnField": "predicted_type", "valueField": "Value", "emptyValue": "zero"},
    )


def formats() -> Iterable[Json]:
    """Why do rollouts earn nothing?"""
    name, invalid = "shop_r1_rollouts_total", f'{SPEC}, reason!="valid"'
    yield graph(
        "Invalid completions",
        "percentunit",
        (fraction(rate(name, invalid, "spec"), rate(name, SPEC, "spec")), "{{spec}}"),
        width=12,
    )
    yield graph(
        "Reasons",
        "percentunit",
        (share(rate(name, invalid, "spec", "reason"), rate(name, SPEC, "spec"), "spec"), "{{spec}} {{reason}}"),
        width=12,
    )


def certainty() -> Iterable[Json]:
    """Is the source well, how fast is it, and what does it say?"""
    computed, cached = (
        rate(f"shop_r1_certainty_{what}_tokens_total", PODS, "source") for what in ("computed", "cached")
    )
    seconds, without = "shop_r1_certainty_seconds", "shop_r1_certainty_without_context_total"
    source = "{{source}}"
    nats = rate("shop_r1_certainty_nats_count", PODS, "source")
    yield graph(
        "Sources that are well",
        "percentunit",
        (f"avg by (source) (shop_r1_certainty_up{{{PODS}}})", source),
        (f"avg by (source) (shop_r1_certainty_breaker_open{{{PODS}}})", f"{source} breaker open"),
        why="Share of servers whose latest check succeeded, and of those that try it by one batch at a time.",
    )
    yield graph(
        "Batches without certainty",
        "ops",
        (rate("shop_r1_certainty_failures_total", PODS, "source", "problem"), "{{source}} {{problem}}"),
        why="Each got a 503.",
    )
    yield graph(
        "Time for a batch",
        "s",
        *((quantile(q, seconds, PODS, "source"), f"{source} {q:.0%}") for q in (0.5, 0.95)),
    )
    yield graph("Mean certainty", "short", (mean("shop_r1_certainty_nats", PODS, "kind"), "{{kind}}"), why="Nats.")
    yield graph(
        "Width of the bounds",
        "short",
        (mean("shop_r1_certainty_bound_width", PODS, "source"), source),
        why="Mean, in nats; 0 where exact.",
    )
    yield graph("Without their prompt", "percentunit", (fraction(rate(without, PODS, "source"), nats), source))
    yield graph(
        "Tokens",
        "ops",
        (rate("shop_r1_certainty_tokens_total", PODS, "source"), "{{source}} measured"),
        (computed, "{{source}} computed"),
        (cached, "{{source}} from a cache"),
    )
    yield graph("Spared by a cache", "percentunit", (f"{cached} / ({cached} + {computed})", source))
    yield graph(
        "Age of the weights",
        "s",
        (f"time() - shop_r1_certainty_model_loaded_timestamp_seconds{{{PODS}}}", "{{instance}} {{source}}"),
    )


def runs() -> Iterable[Json]:
    """Which run is scored by what?"""
    name = "shop_r1_run_rollouts_total"
    yield graph("Rollouts of each run", "ops", (rate(name, RUN, "run"), "{{run}}"))
    named = f'{RUN}, run!~"|other"'
    yield graph(
        "Digests of each run",
        "short",
        (f"count by (run) (group by (run, digest) (increase({name}{{{named}}}[1h]) > 0))", "{{run}}"),
        why="Within an hour. More than one: rewards are mixed.",
    )
    yield table(
        "Rollouts by run and digest",
        total(name, RUN, "run", "spec", "digest", "reward_version"),
        value="rollouts",
        why="Over the time shown.",
    )


def versions() -> Iterable[Json]:
    """Does a canary do as well as the version it is to replace?"""
    requests, seconds = "shop_r1_http_requests_total", "shop_r1_http_request_duration_seconds"
    failed, by, version = f'{SCORING}, status=~"5.."', ("job", "reward_version"), "{{job}} {{reward_version}}"
    yield graph("Requests by version", "reqps", (rate(requests, SCORING, *by), version))
    yield graph(
        "Failed by version",
        "percentunit",
        (fraction(rate(requests, failed, *by), rate(requests, SCORING, *by)), version),
    )
    yield graph(
        "95 % within, by version",
        "s",
        (quantile(0.95, seconds, SCORING, *by), version),
    )
    yield table(
        "Servers",
        f"count by (namespace, job, reward_version, version) (shop_r1_build_info{{{PODS}}})",
        value="servers",
    )
    yield table(
        "Specs",
        f"group by (reward_version, spec, digest, default) (shop_r1_spec_info{{{SPEC}}})",
        why="`default` scores where a request names none.",
    )
    yield table(
        "Models that certainty is measured with",
        f"count by (reward_version, source, model, revision) (shop_r1_certainty_model_info{{{PODS}}} == 1)",
        value="servers",
    )


ROWS = {
    "Health": health,
    "Rewards": rewards,
    "Predictions against labels": predictions,
    "Formats": formats,
    "Certainty": certainty,
    "Runs and digests": runs,
    "Versions": versions,
}
