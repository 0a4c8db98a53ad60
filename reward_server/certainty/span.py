"""Which tokens of a completion are its rationale: those whose text overlaps the rationale's JSON string value.

The value is what stands between the quotes, escapes as they are written. A token that holds a quote and the value's
first letter belongs to it, and so does every piece of a character that the tokenizer has cut into bytes. Pure: a
`tokenizers.Tokenizer` is the only thing needed, which is also what a Hugging Face fast tokenizer has as
`backend_tokenizer`.
"""

import codecs
import re
from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from tokenizers import Encoding, Tokenizer, decoders
from tokenizers.pre_tokenizers import ByteLevel

from reward_server.certainty.characters import rationale_characters

_REPLACEMENT = "\ufffd"
_SPACE = "▁"
_BYTE = re.compile("<0x[0-9A-F]{2}>")
_LONGEST_WAIT = 1_000
"""Tokens of which a decoder may make no text yet; it reads them all again with each further one."""


class RationaleTokens(NamedTuple):
    """A completion's tokens, and which of them are the rationale: `token_ids[start:end]`."""

    token_ids: Sequence[int]
    start: int
    end: int


class SpanError(ValueError):
    """Token ids that are not those of the completion they came with; says where they part."""


class TokenizerError(RuntimeError):
    """A tokenizer that cannot read a text, whatever the text: its files do not fit together."""


class RationaleFinder:
    """Finds rationales in completions of one tokenizer.

    `vocab_size` is the model's, which may be larger than its tokenizer's: ids between the two have no text.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        # A tokenizer.json may say to cut texts, or to fill them up; a trainer may have told its tokenizer to.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.vocab_size = vocab_size
        self._added = {number: token.content for number, token in tokenizer.get_added_tokens_decoder().items()}
        self._special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        self._is_byte_level = isinstance(tokenizer.decoder, decoders.ByteLevel)
        self._has_byte_fallback = "ByteFallback" in repr(tokenizer.decoder)
        self._spellings: dict[int, bytes] = {}

    def encode(self, text: str) -> list[int]:
        """The tokens of a prompt, whose special tokens are already written out in it."""
        return list(self._encode(text).ids)

    def in_text(self, completion: str) -> RationaleTokens:
        """The rationale in a completion of which only the text is known: as the tokenizer would have written it."""
        start, end = rationale_characters(completion)
        encoding = self._encode(completion)
        if self._is_byte_level:
            pieces = [self._spell(number) for number in encoding.ids]
            if b"".join(pieces) == completion.encode():
                return _overlap(encoding.ids, _byte_ranges(pieces), *_byte_span(completion, start, end))
        return _overlap(encoding.ids, encoding.offsets, start, end)

    def in_tokens(self, completion: str, token_ids: Sequence[int]) -> RationaleTokens:
        """The rationale in a completion whose tokens are known: the model's own, however it came to write them.

        The text may leave out special tokens, and what the tokens have before and after it. Raises SpanError when the
        tokens spell another text, or one is not in the vocabulary.
        """
        for position, number in enumerate(token_ids):
            if not 0 <= number < self.vocab_size:
                raise SpanError(f"token {position} has the id {number}, outside the vocabulary of {self.vocab_size}")
        start, end = rationale_characters(completion)
        for keep_special in (True, False):
            ranges, text = self._character_ranges(token_ids, keep_special)
            offset = text.find(completion)
            if offset >= 0:
                return _overlap(token_ids, ranges, offset + start, offset + end)
        raise SpanError(_parting(text, completion))

    def _encode(self, text: str) -> Encoding:
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except TypeError:
            raise  # half of a surrogate pair is no text
        except Exception as error:  # the library raises nothing narrower
            raise TokenizerError(f"the model's tokenizer cannot read texts: {error}") from None

    def _character_ranges(self, token_ids: Sequence[int], keep_special: bool) -> tuple[list[tuple[int, int]], str]:
        """Which characters of the decoded text each token has a part in, and that text."""
        if self._has_byte_fallback:
            return self._fallback_ranges(token_ids, keep_special)
        if not self._is_byte_level:
            return self._streamed_ranges(token_ids, keep_special)
        pieces = [b"" if number in self._special and not keep_special else self._spell(number) for number in token_ids]
        characters, text = _characters_of_bytes(b"".join(pieces))
        ranges = [
            (characters[low], characters[high - 1] + 1) if high > low else (0, 0) for low, high in _byte_ranges(pieces)
        ]
        return ranges, text

    def _fallback_ranges(self, token_ids: Sequence[int], keep_special: bool) -> tuple[list[tuple[int, int]], str]:
        """The same for a vocabulary of words with ▁ for a space and single bytes, which are text in runs, or U+FFFD."""
        ranges: list[tuple[int, int]] = []
        text: list[str] = []
        length = 0
        pieces = [self._piece(number, keep_special) for number in token_ids]
        for is_byte, run in groupby(pieces, key=lambda piece: _BYTE.fullmatch(piece) is not None):
            spelled = list(run)
            if is_byte:
                characters, decoded = _characters_of_run(bytes(int(piece[3:5], 16) for piece in spelled))
                ranges += [(length + character, length + character + 1) for character in characters]
                text.append(decoded)
                length += len(decoded)
                continue
            for piece in spelled:
                ranges.append((length, length + len(piece)))
                text.append(piece.replace(_SPACE, " "))
                length += len(piece)
        return ranges, "".join(text)

    def _piece(self, number: int, keep_special: bool) -> str:
        if number in self._special and not keep_special:
            return ""
        return self._added.get(number) or self.tokenizer.id_to_token(number) or ""

    def _streamed_ranges(self, token_ids: Sequence[int], keep_special: bool) -> tuple[list[tuple[int, int]], str]:
        """The same by decoding step by step: tokens that only together make text share all of it."""
        stream = decoders.DecodeStream(skip_special_tokens=not keep_special)
        ranges: list[tuple[int, int]] = []
        chunks: list[str] = []
        length = 0
        waiting = 0
        for number in token_ids:
            try:
                chunk = stream.step(self.tokenizer, number) or ""
            except Exception as error:  # the library raises nothing narrower
                raise SpanError(f"they cannot be decoded one by one: {error}") from None
            waiting += 1
            if waiting > _LONGEST_WAIT:
                raise SpanError(f"{waiting} of them in a row spell nothing")
            if chunk or (number in self._special and not keep_special):
                ranges += [(length, length + len(chunk))] * waiting
                length += len(chunk)
                chunks.append(chunk)
                waiting = 0
        ranges += [(length, length + 1)] * waiting
        return ranges, "".join(chunks) + (_REPLACEMENT if waiting else "")

    def _spell(self, number: int) -> bytes:
        """The bytes of a token of a byte-level vocabulary; none for an id that only pads the model's vocabulary."""
        spelling = self._spellings.get(number)
        if spelling is None:
            if number in self._added:
                spelling = self._added[number].encode()
            else:
                piece = self.tokenizer.id_to_token(number) or ""
                spelling = piece.translate(_BYTES).encode("latin-1") if set(piece) <= _ALPHABET else piece.encode()
            self._spellings[number] = spelling
        return spelling


def _overlap(token_ids: Sequence[int], ranges: Sequence[tuple[int, int]], start: int, end: int) -> RationaleTokens:
    """The tokens from the first to the last whose range overlaps [start, end); none for an empty rationale."""
    inside = [index for index, (low, high) in enumerate(ranges) if low < end and high > start and high > low]
    first = inside[0] if inside else 0
    return RationaleTokens(token_ids, first, inside[-1] + 1 if inside else first)


def _byte_ranges(pieces: Sequence[bytes]) -> list[tuple[int, int]]:
    ends = list(accumulate(map(len, pieces)))
    return list(zip([0, *ends], ends, strict=False))


def _byte_span(text: str, start: int, end: int) -> tuple[int, int]:
    low = len(text[:start].encode())
    return low, low + len(text[start:end].encode())


def _characters_of_bytes(data: bytes) -> tuple[list[int], str]:
    """Which character of the decoded text each byte is part of; bytes that are no UTF-8 decode to U+FFFD."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _characters_of_broken_bytes(data)
    if len(text) == len(data):
        return list(range(len(data))), text
    return [index for index, character in enumerate(text) for _ in character.encode()], text


def _characters_of_run(data: bytes) -> tuple[list[int], str]:
    """The same for a run of byte tokens, of which a decoder makes one U+FFFD each where not all of it is UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return list(range(len(data))), _REPLACEMENT * len(data)
    return _characters_of_bytes(data)


def _characters_of_broken_bytes(data: bytes) -> tuple[list[int], str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    characters: list[int] = []
    text = ""
    waiting = 0
    for index in range(len(data)):
        chunk = decoder.decode(data[index : index + 1], final=index == len(data) - 1)
        waiting += 1
        if chunk:
            # Broken bytes come out together with what follows them, which then has its full length in bytes.
            taken = waiting - len(decoder.getstate()[0])
            sizes = [1 if character == _REPLACEMENT else len(character.encode()) for character in chunk[1:]]
            for size in [taken - sum(sizes), *sizes]:
                characters += [len(text)] * size
                text += chunk[0]
                chunk = chunk[1:]
            waiting -= taken
    return characters, text


def _parting(text: str, completion: str) -> str:
    position = next((i for i, (a, b) in enumerate(zip(text, completion, strict=False)) if a != b), len(text))
    return (
        f"they spell another text than the completion: from character {position} on "
        f"{text[position : position + 20]!r}, not {completion[position : position + 20]!r}"
    )


_ALPHABET = frozenset(ByteLevel.alphabet())
_PLAIN = [byte for byte in range(256) if chr(byte) in _ALPHABET]
_BYTES = {256 + index: byte for index, byte in enumerate(sorted(set(range(256)) - set(_PLAIN)))}
"""Characters of a byte-level vocabulary that stand for another byte than their own (GPT-2's table)."""
