"""A Dockerfile as its instructions, one by one, for the tests that read it and do what it says."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::\+([^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """`COPY LICENSE ./`: a word, and what follows it."""

    word: str
    rest: str

    def words(self) -> list[str]:
        """The rest as a list: of the JSON form, or split at spaces."""
        return json.loads(self.rest) if self.rest.startswith("[") else self.rest.split()

    def pairs(self) -> dict[str, str]:
        """`NAME=VALUE …`, without quotes."""
        found = re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S*))', self.rest)
        return {name: quoted or plain for name, quoted, plain in found}


@dataclass(slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def only(self, word: str) -> Instruction:
        """The one instruction of this word."""
        (found,) = (instruction for instruction in self.instructions if instruction.word == word)
        return found


def read_stages(file: Path) -> list[Stage]:
    """The stages of a Dockerfile, their bases as without any build argument."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for instruction in _instructions(file.read_text(encoding="utf-8")):
        if instruction.word == "FROM":
            base, *name = expand(instruction.rest, arguments).split(" AS ")
            stages.append(Stage(base, name[0] if name else ""))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            assert instruction.word == "ARG", f"{instruction} before the first FROM"
            arguments |= instruction.pairs()
    return stages


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME`, `${NAME}` and `${NAME:+text}`, as Docker does them."""

    def value(match: re.Match[str]) -> str:
        plain, braced, alternative = match.groups()
        found = variables.get(plain or braced, "")
        return found if alternative is None else found and expand(alternative, variables)

    return _VARIABLE.sub(value, text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        if line.strip():
            word, rest = line.split(maxsplit=1)
            yield Instruction(word, rest.strip())
