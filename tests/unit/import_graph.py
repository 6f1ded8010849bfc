"""Reads from the source who imports whom, and who touches the environment's variables."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


@dataclass(frozen=True)
class Module:
    """A source file, under the name it is imported by."""

    name: str
    path: Path

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(ast.parse(self.path.read_text(encoding="utf-8"), str(self.path)))

    def absolute(self, node: ast.ImportFrom) -> str:
        """The ``a.b`` of ``from a.b import c``, relative imports resolved."""
        package = self.name.split(".")
        if self.path.name != "__init__.py":
            package.pop()
        base = package[: len(package) - node.level + 1] if node.level else []
        return ".".join([*base, *filter(None, [node.module])])


Tree = Mapping[str, Module]


def tree_under(root: Path, packages: Iterable[str]) -> Tree:
    """Every module of the packages in a folder, by name."""
    modules = {}
    for path in (path for package in packages for path in (root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        modules[name] = Module(name, path)
    return modules


def imports_of(module: Module, tree: Tree) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything imported; ``from x import y`` is ``x.y`` if a module."""
    for node in module.nodes():
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(names=names):
                source = module.absolute(node)
                inner = [f"{source}.{alias.name}" for alias in names]
                found = {name if name in tree else source for name in inner}
                yield from ((node.lineno, name) for name in found)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def environment_uses(module: Module) -> Iterator[int]:
    """Lines that touch the environment's variables, under whatever name ``os`` was imported."""
    aliases = {"os"}
    for node in module.nodes():
        match node:
            case ast.Import(names=names):
                aliases |= {alias.asname for alias in names if alias.name == "os" and alias.asname}
            case ast.ImportFrom(module="os", names=names):
                if ENVIRONMENT & {alias.name for alias in names}:
                    yield node.lineno
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
                if owner in aliases and attribute in ENVIRONMENT:
                    yield node.lineno


def cycle(tree: Tree) -> list[str] | None:
    """Modules that import each other in a circle, if any do."""
    graph = {
        name: {imported for _, imported in imports_of(module, tree)} & tree.keys() - {name}
        for name, module in tree.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None
