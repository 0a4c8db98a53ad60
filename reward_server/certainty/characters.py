"""Where in a completion the characters of its rationale stand."""

import json

_JSON = json.JSONDecoder(parse_int=lambda _digits: 0, parse_float=lambda _digits: 0.0)


def rationale_characters(completion: str) -> tuple[int, int]:
    """Where the rationale's JSON string value stands in a valid completion, its quotes left out: [start, end).

    Raises ValueError when there is none, which no completion that `reward.completion.parse` takes does.
    """
    position = completion.index("{")
    while True:
        key, position = _JSON.raw_decode(completion, completion.index('"', position))
        start = _skip_space(completion, completion.index(":", position) + 1)
        value, position = _JSON.raw_decode(completion, start)
        if key == "rationale":
            if not isinstance(value, str):
                raise ValueError("the rationale is not a string")
            return start + 1, position - 1


def _skip_space(text: str, position: int) -> int:
    while text[position] in " \t\n\r":
        position += 1
    return position
