"""No module of local_hopsworks has state: what changes belongs to a server, and ends with it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "local_hopsworks"
CHANGING = {
    *("add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove"),
    *("setdefault", "sort", "update"),
}
# login() starts one server in a process, however often it is called
MEANT = {("__init__.py", "_server"), ("__init__.py", "_project")}


def base(node):
    """The name of the variable that a place such as name[key].attribute is in."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def targets(node):
    """The places that a statement or a call changes."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target]
    if isinstance(node, ast.Delete):
        return node.targets
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return [node.func.value] if is_method and node.func.attr in CHANGING else []


def stored(tree):
    """The names of the variables that are set somewhere in it."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def changed_variables(tree):
    """The module's variables that a function changes."""
    assignments = [line for line in tree.body if isinstance(line, ast.Assign | ast.AnnAssign)]
    module = set().union(*map(stored, assignments))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = ast.Module(function.body, [])
        arguments = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        others = module - arguments - stored(body)
        for node in ast.walk(body):
            if isinstance(node, ast.Global):
                yield from node.names
            yield from (base(target) for target in targets(node) if base(target) in others)


@pytest.mark.parametrize(
    "module",
    sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")),
)
def test_module_has_no_variable_that_a_function_changes(module):
    found = set(changed_variables(ast.parse((PACKAGE / module).read_text())))
    assert {(module, name) for name in found} <= MEANT


@pytest.mark.parametrize(
    "text",
    [
        "seen = set()\ndef f(x):\n    seen.add(x)",
        "seen: dict[str, int] = {}\ndef f(x):\n    seen[x] = 1",
        "seen = {}\ndef f(x):\n    del seen[x]",
        "count = 0\ndef f():\n    global count\n    count += 1",
        "seen = [[]]\ndef f(x):\n    seen[0].append(x)",
    ],
)
def test_such_a_variable_is_found(text):
    assert set(changed_variables(ast.parse(text))) in ({"seen"}, {"count"})
