"""Pages small enough for models that are trained in minutes."""

from statistics import mean

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tests.trainer.sessions.storefront.samples import steps, stories, tiny_sessions
from trainer.sessions.simplify import simplify
from trainer.sessions.storefront.draws import random_for
from trainer.sessions.storefront.policy import MAX_STEPS
from trainer.sessions.storefront.tiny_pages import tiny_page
from trainer.sessions.storefront.views import Kind

CHARACTERS_A_TOKEN = 3.2


def test_pages_have_about_a_hundred_tokens_of_a_tokenizer_of_their_own() -> None:
    pages = [step.html or "" for step in steps(tiny_sessions())[:4_000]]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        pages, trainers.BpeTrainer(vocab_size=760, initial_alphabet=alphabet, show_progress=False)
    )
    assert 85 < mean(len(encoding.ids) for encoding in tokenizer.encode_batch(pages)) < 115


def test_no_page_has_fewer_than_40_or_more_than_200_tokens() -> None:
    lengths = [len(step.html or "") / CHARACTERS_A_TOKEN for step in steps(tiny_sessions())]
    assert min(lengths) > 40
    assert max(lengths) < 200


def test_everything_that_can_be_chosen_has_a_name_of_its_own() -> None:
    for told in stories("tiny", 150):
        for scene in told:
            names = simplify(tiny_page(scene.view, random_for(0)), key="data-key").names_by_key
            keys = [choice.key for choice in scene.forecast.choices if choice.kind is not Kind.LEAVE]
            assert {*keys, "search"} == set(names) or scene.view.step == MAX_STEPS
            assert len(set(names.values())) == len(names)


def test_names_look_like_those_of_public_data() -> None:
    names = {step.action["name"] for step in steps(tiny_sessions()) if "name" in step.action}
    assert {
        *("search_input", "refinements.price.under_25", "refinements.customer_reviews.4_stars_up"),
        *("product_options.size.m", "add_to_cart.buy_now", "cart.checkout"),
    } <= names
    assert any(name.endswith("_hat.view_product") and name.startswith("search_results.") for name in names)
