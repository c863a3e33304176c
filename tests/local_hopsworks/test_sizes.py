"""No function of local_hopsworks has more than 40 lines, no file more than 400."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "local_hopsworks"
MOST_LINES_OF_FUNCTION = 40
MOST_LINES_OF_FILE = 400


def long_functions(text):
    """The names of functions with too many lines; decorators do not count."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > MOST_LINES_OF_FUNCTION:
                yield f"{node.name}: {lines} lines"


def test_no_function_and_no_file_is_long():
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        name = path.relative_to(PACKAGE)
        long += [f"{name}: {function}" for function in long_functions(text)]
        if (lines := text.count("\n")) > MOST_LINES_OF_FILE:
            long.append(f"{name}: {lines} lines")
    assert long == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_long_function_is_found(kind):
    def function(lines):
        return f"class Any:\n    {kind} method(self):\n" + "        pass\n" * (lines - 1)

    assert list(long_functions(function(40))) == []
    assert list(long_functions(function(41))) == ["method: 41 lines"]
