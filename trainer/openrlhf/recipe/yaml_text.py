"""YAML as recipes use it: maps, lists and plain scalars, each meaning one thing.

PyYAML reads YAML 1.1, where `off` is false and `1e-7` is a text; here booleans are `true` and `false` alone, and
numbers are what YAML 1.2 says they are. Keys given twice, anchors, aliases and tags are refused.
"""

import re
from typing import Any

import yaml

_LARGEST = 2**20
"""Characters of a recipe; the shipped ones have a thousand."""


class YamlError(ValueError):
    """Text that is no such YAML; says where."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own name and type

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise YamlError(f"{_place(event.start_mark)}: anchors and aliases have no place in a recipe")
        if getattr(event, "tag", None) is not None:
            raise YamlError(f"{_place(event.start_mark)}: tags such as {event.tag!r} have no place in a recipe")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            where = _place(key_node.start_mark)
            if not isinstance(key, str):
                raise YamlError(f"{where}: a key is a text, not {key!r}")
            if key in mapping:
                raise YamlError(f"{where}: the key {key!r} is given twice")
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


_RESOLVERS = (
    ("null", r"|~|null", ["", "~", "n"]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        list("-+.0123456789"),
    ),
)
for _name, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes what either version of YAML would read as something other than a text."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_RESOLVERS[-1][1]})$"), _RESOLVERS[-1][2])


def load_yaml(text: str) -> Any:
    """The one document in `text`. Raises YamlError."""
    if len(text) > _LARGEST:
        raise YamlError(f"{len(text):,} characters; a recipe has {_LARGEST:,} at most")
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        where = _place(error.problem_mark) if error.problem_mark else "the text"
        raise YamlError(f"{where}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise YamlError("nested too deeply") from None
    finally:
        if loader is not None:
            loader.dispose()


def dump_yaml(value: Any) -> str:
    """The value as YAML that `load_yaml` reads back, keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
