"""Fixtures: what real servers export once they have scored, and been refused."""

from collections import defaultdict

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.busy_servers import busy_servers
from tests.deploy.promql import Samples


@pytest.fixture(scope="session")
def exported() -> Samples:
    """The label sets of every sample that servers export once they were busy."""
    samples: dict[str, list[dict[str, str]]] = defaultdict(list)
    with busy_servers() as busy:
        busy.score()
        busy.lose_vllm()
        for server in (busy.by_rollouts, busy.by_vllm):
            for family in text_string_to_metric_families(server.get("/metrics").text):
                for sample in family.samples:
                    samples[sample.name].append(sample.labels)
    return dict(samples)
