"""What Schemathesis makes of the OpenAPI document: sound and unsound requests to every route of a live server."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fuzz.amount import EXAMPLES
from tests.servers import Server

pytestmark = pytest.mark.e2e

# No schema can say that a label has to be an action of the spec, or a spec one that is loaded.
_CANNOT_BE_SAID = [positive_data_acceptance]

# The URL is looked at before the body, so that an unsound body may go with a digest that nothing has.
_REFUSALS = {"checks": {"negative_data_rejection": {"expected-statuses": ["401", "404", "405", "412", "413", "422"]}}}


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_document_foresees(server: Server, mode: GenerationMode) -> None:
    config = schemathesis.Config.from_dict(_REFUSALS)
    document = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)
    for operation in (result.ok() for result in document.get_all_operations()):
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # Any name and any parameter is a string, and so never unsound.

        @given(operation.as_strategy(generation_mode=mode))
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        def answered(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=_CANNOT_BE_SAID)

        answered()
