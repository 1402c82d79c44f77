"""What takes or gives arrays says their shapes, where everybody can call it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from architecture.source import modules, tree

ALIASES = ("NDArray", "Mask", "Floats", "Floats32", "Floats16", "Ints", "Ints32", "Positions", "Indices")
_ARRAY = re.compile(rf"\b({'|'.join(ALIASES)})\b")


def without_shapes(body: ast.Module, module: str) -> Iterator[str]:
    """Public functions and methods over arrays whose docstring names no shape in brackets."""
    for function, name in _public(body, module):
        annotations = [a.annotation for a in (*function.args.args, *function.args.kwonlyargs)]
        over_arrays = any(_ARRAY.search(ast.unparse(a)) for a in (*annotations, function.returns) if a is not None)
        if over_arrays and "[" not in (ast.get_docstring(function) or ""):
            yield name


def _public(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef) and not inner.name.startswith("_"):
            name = f"{prefix}.{inner.name}"
            if isinstance(inner, ast.ClassDef):
                yield from _public(inner, name)
            else:
                yield inner, name


def test_functions_over_arrays_say_the_shapes() -> None:
    assert not [found for name, path in modules().items() for found in without_shapes(tree(path), name)]


def test_one_that_does_not_is_found() -> None:
    text = '''
def free(nodes: Ints) -> Mask:
    """Whether the nodes are free."""

class State:
    def fits(self, pod: int) -> NDArray[np.bool_]:
        """[N] where the pod fits."""

    def held(self, pods: Positions) -> int:
        """How many."""

    def _own(self, rows: Ints) -> Ints: ...
'''
    assert list(without_shapes(ast.parse(text), "m")) == ["m.free", "m.State.held"]
