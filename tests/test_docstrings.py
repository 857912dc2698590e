"""A docstring tells the signature: the same parameters, the same defaults.

Read by parsing the source. For every public function, method and class whose docstring has a "Parameters"
section, the names are those of the signature (of ``__init__``, or of the fields of a dataclass), and
"default X" equals the default; "optional" alone means None, or a fresh object that a dataclass makes. A
default that names a constant of the package is looked up; any other is compared as source text.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "clientscore"
HEADER = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : (.*))?$")
DEFAULT = re.compile(r"(?:^|[\s,;(])default(?:s to| is|:|=)?\s*(.*)$")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Parameter:
    """One parameter as the signature has it: its name and the source of its default, if any."""

    name: str
    default: str | None
    made: bool = False  # by a default_factory

    @property
    def may_be_just_optional(self) -> bool:
        return self.default == "None" or self.made


def parameters_of_function(node: Function) -> list[Parameter]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*([None] * missing), *arguments.defaults, *arguments.kw_defaults]
    named = [
        Parameter(argument.arg, None if default is None else ast.unparse(default))
        for argument, default in zip([*positional, *arguments.kwonlyargs], defaults, strict=True)
    ]
    stars = [Parameter(star.arg, None) for star in (arguments.vararg, arguments.kwarg) if star]
    return public([item for item in [*named, *stars] if item.name not in ("self", "cls")])


def public(parameters: list[Parameter]) -> list[Parameter]:
    return [item for item in parameters if not item.name.startswith("_")]


def parameters_of_class(node: ast.ClassDef) -> list[Parameter] | None:
    """Return the parameters of ``__init__`` or the fields of a dataclass; None where they are inherited."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return parameters_of_function(item)
    decorators = " ".join(ast.unparse(item) for item in node.decorator_list)
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    if "dataclass" in decorators or bases & {"NamedTuple", "TypedDict"}:
        return public([found for item in node.body if (found := field_of(item)) is not None])
    return None


def field_of(node: ast.stmt) -> Parameter | None:
    """Return the parameter that a dataclass field makes, None for anything else."""
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return None
    name, value = node.target.id, node.value
    if "ClassVar" in ast.unparse(node.annotation):
        return None
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "field":
        words = {word.arg: word.value for word in value.keywords}
        if "init" in words and ast.unparse(words["init"]) == "False":
            return None
        if "default_factory" in words:
            factory = ast.unparse(words["default_factory"])
            empty = {"dict": "{}", "list": "[]", "tuple": "()", "set": "set()"}
            if factory.startswith("lambda: "):
                return Parameter(name, factory.removeprefix("lambda: "), made=True)
            return Parameter(name, empty.get(factory, f"{factory}()"), made=True)
        value = words.get("default")
    return Parameter(name, None if value is None else ast.unparse(value))


def documented(docstring: str) -> dict[str, str] | None:
    """Return name -> the line after the colon of a numpydoc "Parameters" section, None without one."""
    lines = inspect.cleandoc(docstring).splitlines()
    heads = [number for number, line in enumerate(lines[1:]) if re.fullmatch(r"-{3,}", line)]
    start = next((number + 2 for number in heads if lines[number] == "Parameters"), None)
    if start is None:
        return None
    end = next((number for number in heads if number > start), len(lines))
    found: dict[str, str] = {}
    for number in range(start, end):
        match = HEADER.match(lines[number])
        if match and not lines[number].startswith(" "):
            kind = match[2] or ""
            # A type that does not fit one line goes on, indented, after an opening bracket or a comma.
            following = number + 1
            while kind.endswith((",", "{", "(", "[")) and following < end:
                kind = f"{kind} {lines[following].strip()}"
                following += 1
            names = [name.strip("* ") for name in match[1].split(",")]
            found.update(zip(names, kinds_of(kind, len(names)), strict=True))
    return found


def kinds_of(kind: str, n_names: int) -> list[str]:
    """Return one kind a name; "default 12 and 1" of "horizon, lead" is one default each."""
    before, word, after = kind.partition("default ")
    each = after.split(" and ")
    if n_names > 1 and len(each) == n_names:
        return [f"{before}{word}{one}" for one in each]
    return [kind] * n_names


def told_default(kind: str) -> str | None:
    match = DEFAULT.search(kind)
    return match[1].strip().rstrip(".").strip("`") if match else None


class _LookUp(ast.NodeTransformer):
    """Put the literal in place of the constant that names it, and drop a copying dict() or tuple()."""

    def __init__(self, constants: dict[str, ast.expr]) -> None:
        self.constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.constants.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        copies = ast.unparse(node.func) in ("dict", "list", "tuple") and len(node.args) == 1
        inner = self.visit(node.args[0]) if copies else None
        return inner if isinstance(inner, ast.Dict | ast.List | ast.Tuple) else node


def constants_of(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the module's constants (upper case) and the expressions they stand for."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if value is not None and isinstance(targets[0], ast.Name) and targets[0].id.isupper():
            found[targets[0].id] = value
    return found


def same_value(told: str, default: str, constants: dict[str, ast.expr]) -> bool:
    """Tell whether two sources mean one value: equal literals of one type, else equal expressions."""
    if told == default:
        return True
    try:
        trees = [_LookUp(constants).visit(ast.parse(text, mode="eval")) for text in (told, default)]
    except SyntaxError:
        return False
    try:
        one, other = (ast.literal_eval(tree) for tree in trees)
    except ValueError:
        return ast.dump(trees[0]) == ast.dump(trees[1])
    return type(one) is type(other) and bool(one == other)


def faults_of(docstring: str, parameters: list[Parameter], constants: dict[str, ast.expr]) -> list[str]:
    told = documented(docstring)
    if told is None:
        return []
    names = [parameter.name for parameter in parameters]
    faults = [f"{name} is told, but is no parameter" for name in told if name not in names]
    for parameter in parameters:
        if parameter.name not in told:
            faults.append(f"{parameter.name} is not told")
            continue
        default = told_default(told[parameter.name])
        if default is None and parameter.may_be_just_optional and told[parameter.name].endswith("optional"):
            continue
        if parameter.default is None and default is not None:
            faults.append(f"{parameter.name} is told to default to {default}, but has no default")
        elif parameter.default is not None and default is None:
            faults.append(f"{parameter.name} does not tell its default {parameter.default}")
        elif parameter.default is not None and not same_value(str(default), parameter.default, constants):
            faults.append(f"{parameter.name} tells default {default}, the signature {parameter.default}")
    return faults


def drifts(source: Path) -> list[str]:
    """Return every drift between docstring and signature of the public names below `source`."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(source.rglob("*.py"))}
    shared = {name: value for tree in trees.values() for name, value in constants_of(tree).items()}
    found = []
    for path, tree in trees.items():
        place = str(path.relative_to(source).with_suffix(""))
        found += drifts_in(tree, place, {**shared, **constants_of(tree)})
    return found


def drifts_in(node: ast.Module | ast.ClassDef, place: str, constants: dict[str, ast.expr]) -> list[str]:
    found = []
    for item in node.body:
        if not isinstance(item, ast.ClassDef | Function) or item.name.startswith("_"):
            continue
        here = f"{place}.{item.name}"
        is_class = isinstance(item, ast.ClassDef)
        parameters = parameters_of_class(item) if is_class else parameters_of_function(item)
        docstring = ast.get_docstring(item, clean=False)
        if docstring is not None and parameters is not None:
            faults = faults_of(docstring, parameters, constants)
            found += [f"{here}:{item.lineno}: {fault}" for fault in faults]
        if is_class:
            found += drifts_in(item, here, constants)
    return found


def test_docstrings_tell_the_signature() -> None:
    assert drifts(SOURCE) == []


PLANT = '''
MONTHS = 12
_EXITS: dict[str, str] = {{'closure': 'hard'}}

def learn(X, rate={default}, *, n=4):
    """Learn.

    Parameters
    ----------
    X : DataFrame
        Features; by default everything.
    rate : {told}
        The rate.
    n : int, default 4
        How many.

    Returns
    -------
    rate : float, default nothing
        Not a parameter.
    """
'''


def drifts_of(text: str) -> list[str]:
    tree = ast.parse(text)
    return drifts_in(tree, "a", constants_of(tree))


@pytest.mark.parametrize(
    ("default", "told"),
    [
        ("0.05", "float, default 0.05"),
        ("0.05", "float in (0, 1], default .05"),
        ("0.05", "float, default=0.05"),
        ("0.05", "float, default: 5e-2"),
        ("(3, 6, 12)", "tuple of int, default (3, 6, 12)"),
        ("()", "sequence of str, default ()"),
        ("None", "int, RandomState or None, default None"),
        ("'auto'", '{{"auto", "none"}}, default "auto"'),
        ("'a, b'", "str, default 'a, b'"),
        ("None", "float, optional"),
        ("True", "bool, default True"),
        ("-1", "int, default -1"),
        ("200_000", "int, default 200_000"),
        ("200_000", "int, default 200000"),
        ("{'A': 0.5}", "dict, default {{'A': 0.5}}"),
        ("ScoreScale()", "ScoreScale, default ScoreScale()"),
        ("MONTHS", "int, default MONTHS"),
        ("(1, MONTHS)", "tuple, default (1, 12)"),
        ("dict(_EXITS)", "dict, default {{'closure': 'hard'}}"),
        ("1.5", "float, default ``1.5``"),
        ("2", "{{'one',\n        'two'}}, default 2"),
    ],
)
def test_a_true_default_passes(default: str, told: str) -> None:
    assert drifts_of(PLANT.format(default=default, told=told.format())) == []


@pytest.mark.parametrize(
    ("default", "told", "fault"),
    [
        ("0.05", "float, default 0.1", "rate tells default 0.1, the signature 0.05"),
        ("1", "float, default 1.0", "rate tells default 1.0, the signature 1"),
        ("1", "bool, default True", "rate tells default True"),
        ("0", "float, optional", "rate does not tell its default 0"),
        ("None", "float or None", "rate does not tell its default None"),
        ("0.05", "float", "rate does not tell its default 0.05"),
        ("(3, 6)", "tuple, default (3, 6, 12)", "rate tells default (3, 6, 12)"),
        ("(3,)", "tuple, default (3)", "rate tells default (3)"),
        ("[3, 6]", "tuple, default (3, 6)", "rate tells default (3, 6)"),
        ("'auto'", "str, default auto", "rate tells default auto"),
        ("'auto'", "str, default 'Auto'", "rate tells default 'Auto'"),
        ("ScoreScale()", "ScoreScale, default ScoreScale(1)", "rate tells default ScoreScale(1)"),
        ("MONTHS", "int, default 6", "rate tells default 6, the signature MONTHS"),
        ("None", "str, default the whole book", "rate tells default the whole book"),
    ],
)
def test_a_planted_drift_is_caught(default: str, told: str, fault: str) -> None:
    found = drifts_of(PLANT.format(default=default, told=told))
    assert len(found) == 1
    assert fault in found[0]


def test_planted_names_are_caught() -> None:
    text = PLANT.format(default="1", told="int, default 1").replace("rate=1", "speed=1")
    assert drifts_of(text) == [
        "a.learn:5: rate is told, but is no parameter",
        "a.learn:5: speed is not told",
    ]
    text = PLANT.format(default="1", told="int, default 1").replace("rate=1", "rate")
    assert drifts_of(text) == ["a.learn:5: rate is told to default to 1, but has no default"]


def test_classes_methods_and_dataclasses_are_read() -> None:
    text = '''
class Scorer(Base):
    """A scorer.

    Parameters
    ----------
    method, other : str, default "boosted"
        How.

    Attributes
    ----------
    card_ : Card, default gone
        Learned.
    """

    def __init__(self, *, method="boosted", other="woe"): ...

    def reasons(self, X, n=4):
        """Tell why.

        Parameters
        ----------
        X : DataFrame
            Features.
        n : int, default 3
            How many.
        """

    def oracle(self, horizon=12, lead=1):
        """Average.

        Parameters
        ----------
        horizon, lead : int, default 12 and 2
            Periods.
        """

    def _hidden(self, n=4):
        """Hide.

        Parameters
        ----------
        n : int, default 3
            How many.
        """

@dataclass(frozen=True)
class Policy:
    """A policy.

    Parameters
    ----------
    cutoffs : dict, default {}
        Where.
    grades : tuple, default ("A", "B")
        Which.
    name : str
        What.
    fresh : list, optional
        Made anew.
    """

    name: str
    _cache: int = 0
    fresh: list = field(default_factory=list)
    cutoffs: dict = field(default_factory=dict)
    grades: tuple = ("A", "C")
    kinds: ClassVar[tuple] = ()
    cache: dict = field(init=False, default_factory=dict)
'''
    assert drifts_of(text) == [
        "a.Scorer:2: other tells default \"boosted\", the signature 'woe'",
        "a.Scorer.reasons:18: n tells default 3, the signature 4",
        "a.Scorer.oracle:29: lead tells default 2, the signature 1",
        "a.Policy:48: grades tells default (\"A\", \"B\"), the signature ('A', 'C')",
    ]
