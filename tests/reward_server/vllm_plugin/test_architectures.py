"""The names of models for self-certainty."""

import pytest

from reward_server.vllm_plugin.architectures import causal_name, scoring_name

KNOWN = frozenset({"Qwen2ForCausalLM", "Qwen3ForCausalLM", "LlamaForCausalLM", "GPT2LMHeadModel", "BertModel"})


@pytest.mark.parametrize(
    ("causal", "scoring"),
    [
        ("Qwen2ForCausalLM", "Qwen2ForSelfCertainty"),
        ("LlamaForCausalLM", "LlamaForSelfCertainty"),
        ("GPT2LMHeadModel", "GPT2ForSelfCertainty"),
    ],
)
def test_a_causal_model_has_one_and_it_leads_back(causal: str, scoring: str) -> None:
    assert scoring_name(causal) == scoring
    assert causal_name(scoring, KNOWN) == causal


@pytest.mark.parametrize("other", ["BertModel", "T5ForConditionalGeneration", "Qwen2ForSequenceClassification", ""])
def test_other_models_have_none(other: str) -> None:
    with pytest.raises(ValueError, match="no decoder-only language model"):
        scoring_name(other)


@pytest.mark.parametrize("name", ["UnknownForSelfCertainty", "Qwen2ForCausalLM", "BertForSelfCertainty"])
def test_a_name_that_stands_for_no_causal_model_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        causal_name(name, KNOWN)
