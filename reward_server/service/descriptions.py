"""What the messages' docstrings say of each field, for the OpenAPI document.

pydantic's own `use_attribute_docstrings` looks for them while the classes are made: a tenth of a server's start, each
time, for a document that most servers are never asked for.
"""

import ast
import inspect
from itertools import pairwise

from pydantic import BaseModel


def field_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """By field, the string that follows it in the class or in the one it inherits it from."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            (definition,) = ast.parse(inspect.getsource(base)).body
            assert isinstance(definition, ast.ClassDef)
            for field, after in pairwise(definition.body):
                match field, after:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = inspect.cleandoc(text)
    return found
