"""What handlers rely on in the JSON bodies of requests, checked before they see them.

A shape is a type, a tuple of the texts that it can be, a list of one shape (for every item), or a
dict of shapes by key. A key with a final `!` must be there; any other may be missing or null, as
the SDK leaves it, and what no shape mentions may be anything.
"""

from __future__ import annotations

from typing import Any

from local_hopsworks.errors import HopsworksError

DEEPEST = 450  # objects and lists in one another
Shape = Any
_NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def check(value: Any, shape: Shape, name: str = "The body") -> None:
    """Raises HopsworksError with a sentence that names what does not have its shape."""
    if isinstance(shape, dict):
        _must_be(dict, value, name)
        for key, inner in shape.items():
            found = value.get(key.rstrip("!"))
            if found is not None:
                check(
                    found,
                    inner,
                    key.rstrip("!") if name == "The body" else f"{name}.{key.rstrip('!')}",
                )
            elif key.endswith("!"):
                raise HopsworksError(f"{name} has no {key[:-1]}.")
    elif isinstance(shape, list):
        _must_be(list, value, name)
        for position, item in enumerate(value):
            check(item, shape[0], f"{name}[{position}]")
    elif isinstance(shape, tuple):
        if value not in shape:
            raise HopsworksError(
                f"{name[-200:]} must be one of {', '.join(shape)}, not {str(value)[:80]!r}."
            )
    else:
        _must_be(shape, value, name)


def _must_be(kind: type, value: Any, name: str) -> None:
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise HopsworksError(f"{name[-200:]} must be {_NAMES[kind]}, not {str(value)[:80]!r}.")


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects are nested more than `most` deep; found without recursion, which it
    protects."""
    level = [value] if isinstance(value, list | dict) else []
    for _ in range(most):
        children = (
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
        )
        level = [child for child in children if isinstance(child, list | dict)]
    return bool(level)
