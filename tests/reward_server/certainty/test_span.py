"""Which tokens of a completion are its rationale."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from reward_server.certainty.characters import rationale_characters
from reward_server.certainty.span import RationaleFinder, RationaleTokens, SpanError

END = "<|im_end|>"
TAIL = ', "action": {"type": "terminate"}}'


def byte_level(*merges: tuple[str, str]) -> Tokenizer:
    """A token for each byte, and those that the merges make; nothing keeps merges from crossing words or quotes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {piece: number for number, piece in enumerate([*alphabet, *("".join(merge) for merge in merges)])}
    tokenizer = Tokenizer(models.BPE(vocab, list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    return tokenizer


def finder(tokenizer: Tokenizer, padding: int = 0) -> RationaleFinder:
    return RationaleFinder(tokenizer, tokenizer.get_vocab_size() + padding)


def spelled(tokenizer: Tokenizer, found: RationaleTokens) -> list[str]:
    """The rationale's tokens as the tokenizer's own decoder has them, one by one; parts of a character are U+FFFD."""
    return [
        tokenizer.decode([number], skip_special_tokens=False) for number in found.token_ids[found.start : found.end]
    ]


def ids(tokenizer: Tokenizer, *texts: str) -> list[int]:
    """The tokens of texts that are encoded apart, and so not merged with each other."""
    return [number for text in texts for number in tokenizer.encode(text, add_special_tokens=False).ids]


def completion(value: str) -> str:
    return f'{{"rationale": "{value}"{TAIL}'


@pytest.mark.parametrize(
    ("value", "merges", "tokens"),
    [
        ("hi", [], ["h", "i"]),
        ("hi", [("h", "i")], ["hi"]),
        ("hi", [('"', "h")], ['"h', "i"]),
        ("hi", [("i", '"')], ["h", 'i"']),
        ("hi", [('"', "h"), ('"h', "i"), ('"hi', '"')], ['"hi"']),
        ("hi", [("Ġ", '"'), ('Ġ"', "h")], [' "h', "i"]),
        (r"a\"b", [], ["a", "\\", '"', "b"]),
        (r"\n", [], ["\\", "n"]),
        (" a ", [("a", "Ġ")], [" ", "a "]),
        ("é", [], ["\ufffd", "\ufffd"]),
        ("é", [("Ã", "©")], ["é"]),
        ("x😀", [], ["x", *["\ufffd"] * 4]),
        ("", [], []),
    ],
)
def test_it_is_every_token_that_has_a_part_in_the_value(
    value: str, merges: list[tuple[str, str]], tokens: list[str]
) -> None:
    tokenizer = byte_level(*merges)
    assert spelled(tokenizer, finder(tokenizer).in_text(completion(value))) == tokens


def test_the_bytes_of_a_character_may_be_shared_out_among_tokens_in_any_way() -> None:
    # 😀 is F0 9F 98 80, in GPT-2's letters ð Ł ĺ Ģ; here its first byte goes with the quote, its last with an x.
    tokenizer = byte_level(('"', "ð"), ("Ģ", "x"))
    found = finder(tokenizer).in_text(completion("😀x"))
    pieces = [tokenizer.id_to_token(number) for number in found.token_ids[found.start : found.end]]
    assert pieces == ['"ð', "Ł", "ĺ", "Ģx"]


def test_known_tokens_are_taken_as_they_are_however_the_tokenizer_would_write_the_text() -> None:
    tokenizer = byte_level(("h", "i"))
    text = completion("hi")
    own = ids(tokenizer, '{"rationale": "', "h", "i", '"' + TAIL)
    assert spelled(tokenizer, finder(tokenizer).in_text(text)) == ["hi"]
    assert spelled(tokenizer, finder(tokenizer).in_tokens(text, own)) == ["h", "i"]


@pytest.mark.parametrize("around", [("", END), ("", END + END + "more"), ("\n ", ""), (END, ""), (END, f" {END}\n")])
def test_the_text_may_leave_out_what_stands_around_it_in_the_tokens(around: tuple[str, str]) -> None:
    tokenizer = byte_level()
    before, after = around
    text = completion("hé")
    found = finder(tokenizer).in_tokens(text, ids(tokenizer, before, text, after))
    assert spelled(tokenizer, found) == ["h", "\ufffd", "\ufffd"]


def test_the_text_may_leave_out_special_tokens_inside_of_it_too() -> None:
    tokenizer = byte_level()
    own = ids(tokenizer, '{"rationale": "h', END, 'i"' + TAIL)
    assert spelled(tokenizer, finder(tokenizer).in_tokens(completion("hi"), own)) == ["h", END, "i"]


def test_an_id_that_only_pads_the_vocabulary_spells_nothing() -> None:
    tokenizer = byte_level()
    text = completion("hi")
    padding = tokenizer.get_vocab_size() + 2
    own = [*ids(tokenizer, text[:16]), padding, *ids(tokenizer, text[16:])]
    assert finder(tokenizer, padding=3).in_tokens(text, own)[1:] == (15, 18)


@pytest.mark.parametrize("number", [-1, 260, 10**9])
def test_an_id_outside_the_vocabulary_is_refused(number: int) -> None:
    tokenizer = byte_level()
    own = [*ids(tokenizer, completion("hi")), number]
    with pytest.raises(SpanError, match=rf"token {len(own) - 1} has the id {number}, outside the vocabulary of 260"):
        finder(tokenizer, padding=3).in_tokens(completion("hi"), own)


def test_tokens_of_another_text_are_refused_and_told_where_they_part() -> None:
    tokenizer = byte_level()
    with pytest.raises(SpanError, match=r"from character 16 on 'o\", .*, not 'i\", "):
        finder(tokenizer).in_tokens(completion("hi"), ids(tokenizer, completion("ho")))
    with pytest.raises(SpanError):
        finder(tokenizer).in_tokens(completion("hi"), [])


def test_bytes_that_are_no_text_count_as_the_sign_that_stands_for_them() -> None:
    # E2 starts a character of three bytes that never comes; then € itself, E2 82 AC. Both are in GPT-2's letters.
    tokenizer = byte_level()
    broken = [tokenizer.token_to_id(piece) for piece in ("â", "â", "Ĥ", "¬", "ÿ")]
    own = [*ids(tokenizer, '{"rationale": "'), *broken, *ids(tokenizer, 'z"' + TAIL)]
    text = tokenizer.decode(own)
    assert text == completion("\ufffd€\ufffdz")
    assert finder(tokenizer).in_tokens(text, own)[1:] == (15, 21)


def test_a_normalizer_that_rewrites_the_text_does_not_move_the_rationale() -> None:
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.NFC()
    before = '{"action": {"type": "e\u0301e\u0301"}, "rationale": "'
    found = finder(tokenizer).in_text(before + 'he\u0301!"}')
    assert spelled(tokenizer, found) == ["h", "\ufffd", "\ufffd", "!"]


def test_offsets_that_leave_out_spaces_do_not_lose_a_token_of_them() -> None:
    tokenizer = byte_level(("Ġ", '"'))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    assert spelled(tokenizer, finder(tokenizer).in_text(completion("hi "))) == ["h", "i", ' "']


def sentence_piece() -> Tokenizer:
    """Llama 2's kind: words behind a ▁, and single bytes for what is in no word."""
    words = ["▁", *'{}":,', *"rationle", *"tycmp", "h", "hi", "▁hi"]
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    vocab = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocab, [("h", "i"), ("▁", "hi")], unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    return tokenizer


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        ("hi hi", ["hi", "▁hi"]),
        ("é", ["<0xC3>", "<0xA9>"]),
        ("hi 😀", ["hi", "▁", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]),
    ],
)
def test_other_kinds_of_tokenizers_are_read_through_their_own_decoder(
    value: str, pieces: list[str], known: bool
) -> None:
    tokenizer = sentence_piece()
    text = completion(value)
    own = ids(tokenizer, text)
    found = finder(tokenizer).in_tokens(text, own) if known else finder(tokenizer).in_text(text)
    assert [tokenizer.id_to_token(number) for number in found.token_ids[found.start : found.end]] == pieces


def byte_lengths(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[int]:
    """A byte-level piece has one letter for each byte."""
    return [len(tokenizer.id_to_token(number)) for number in token_ids]


MERGES = [('"', "a"), ("a", "b"), ("Ã", "©"), ("b", '"'), ('"', ","), ("Ġ", '"'), ("ð", "Ł"), ("\\", "u")]
MERGED = byte_level(*MERGES)


@given(st.text(st.sampled_from('ab"\\ é😀日\n:{}'), max_size=12), st.booleans())
def test_no_token_of_the_value_is_missing_and_none_is_too_many(text: str, as_ascii: bool) -> None:
    written = json.dumps({"rationale": text, "action": {"type": "terminate"}}, ensure_ascii=as_ascii)
    found = finder(MERGED).in_text(written)
    start, end = (len(written[:position].encode()) for position in rationale_characters(written))
    lengths = byte_lengths(MERGED, found.token_ids)
    assert sum(lengths) == len(written.encode())
    if start == end:
        assert found.start == found.end
        return
    assert sum(lengths[: found.start]) <= start < sum(lengths[: found.start + 1])
    assert sum(lengths[: found.end - 1]) < end <= sum(lengths[: found.end])
    assert finder(MERGED).in_tokens(written, found.token_ids) == found


@pytest.mark.parametrize("broken", [["<0xC3>", "<0xA9>", "<0xF0>"], ["<0xF0>"], ["<0x80>"] * 3])
def test_bytes_of_a_byte_fallback_vocabulary_that_are_no_text_are_a_sign_each(broken: list[str]) -> None:
    tokenizer = sentence_piece()
    inside = [tokenizer.token_to_id(piece) for piece in (*broken, "hi")]
    own = [*ids(tokenizer, '{"rationale": "hi'), *inside, *ids(tokenizer, f'"{TAIL}')[1:]]
    text = tokenizer.decode(own)
    assert text == completion("hi" + "\ufffd" * len(broken) + "hi")
    assert spelled_pieces(tokenizer, finder(tokenizer).in_tokens(text, own)) == ["hi", *broken, "hi"]


def test_a_long_completion_of_single_bytes_takes_no_longer_for_it() -> None:
    tokenizer = sentence_piece()
    text = completion("é" * 50_000)
    own = ids(tokenizer, text)
    found = finder(tokenizer).in_tokens(text, own)
    assert found.end - found.start == 100_000


def spelled_pieces(tokenizer: Tokenizer, found: RationaleTokens) -> list[str]:
    return [tokenizer.id_to_token(number) for number in found.token_ids[found.start : found.end]]
