import pytest

from trainer.training_curves.metrics import groups, is_share, title_of


def test_metrics_are_grouped_and_those_of_no_group_left_out() -> None:
    keys = ["kl", "predicts_click", "term_value", "valid", "reward", "term_bonus", "entropy", "predicts_unknown_type"]
    assert {group.name: group.metrics for group in groups(keys)} == {
        "reward": ["reward", "term_value", "term_bonus"],
        "predicted": ["predicts_click", "predicts_unknown_type"],
        "right": ["valid"],
        "optimisation": ["kl"],
    }


def test_metrics_stand_in_the_same_places_in_whatever_order_they_were_logged() -> None:
    keys = ["predicts_terminate", "term_b", "predicts_unknown_type", "predicts_zoom", "term_a", "predicts_click"]
    for logged in (keys, keys[::-1]):
        assert [group.metrics for group in groups(logged)] == [
            ["term_a", "term_b"],
            ["predicts_click", "predicts_terminate", "predicts_zoom", "predicts_unknown_type"],
        ]


def test_either_trainer_s_history_has_its_loss_gradient_norm_and_learning_rate() -> None:
    sft, grpo = ["lr", "gpt_loss", "grad_norm"], ["actor_lr", "policy_loss", "actor_grad_norm"]
    assert [group.metrics for group in groups(sft)] == [["gpt_loss", "grad_norm", "lr"]]
    assert [group.metrics for group in groups(grpo)] == [["policy_loss", "actor_grad_norm", "actor_lr"]]


def test_metrics_that_nobody_knows_are_shown_where_there_are_no_others() -> None:
    assert [(group.name, group.metrics) for group in groups(["b", "a", "b"])] == [("metrics", ["a", "b"])]


@pytest.mark.parametrize(
    ("key", "share", "title"),
    [
        ("reward", False, "reward"),
        ("valid", True, "valid, %"),
        ("predicts_type_and_submit", True, "type_and_submit, %"),
        ("predicts_", True, "predicts_, %"),
    ],
)
def test_shares_are_titled_in_percent(key: str, share: bool, title: str) -> None:
    assert (is_share(key), title_of(key)) == (share, title)
