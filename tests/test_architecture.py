"""The house holds: imports go down only, no circles, small files, no side doors.

The source is parsed, never imported, so an import inside a function, under ``TYPE_CHECKING`` or through
``importlib.import_module("clientscore...")`` counts like any other.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "clientscore"
SOURCE = Path(__file__).resolve().parents[1] / "src" / PACKAGE
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 50  # without its docstring

FLOORS: dict[int, tuple[str, ...]] = {
    0: ("exceptions",),
    1: ("_axes", "_checks", "_files", "_frames", "_state", "_words", "catalogue"),
    2: ("schema", "timeline", "metrics", "splits", "scale"),
    3: ("additive",),
    4: ("hazard", "value", "labels"),
    5: (
        "datasets",
        "features",
        "signals",
        "scoring",
        "churn",
        "need",
        "tiering",
        "strategy",
        "report",
    ),
    6: ("assessment",),
    7: ("bundle", "validation", "effects", "monitoring", "kpi", "ledger"),
    8: ("batch",),
    9: ("engines", "integrations"),
    10: ("cli",),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}

# Formats that run code when loaded, and the calls that read or write them.
BANNED_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "skops"}
BANNED_CALLS = {
    ("joblib", "load"),
    ("joblib", "dump"),
    ("pd", "read_pickle"),
    ("pandas", "read_pickle"),
    ("warnings", "filterwarnings"),
    ("warnings", "simplefilter"),
    ("np.random", "seed"),
    ("numpy.random", "seed"),
}


@dataclass(frozen=True)
class Module:
    """One file of the package: its dotted name, its room and its parsed source."""

    path: Path
    name: str
    room: str | None  # None: the face, which stands outside
    is_package: bool
    tree: ast.Module
    lines: int

    @property
    def place(self) -> str:
        return self.name.removeprefix(PACKAGE + ".")


def read_package(source: Path) -> list[Module]:
    modules = []
    for path in sorted(source.rglob("*.py")):
        parts = list(path.relative_to(source).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        if is_package:
            parts.pop()
        text = path.read_text(encoding="utf-8")
        room = parts[0] if parts else None
        name = ".".join([PACKAGE, *parts])
        modules.append(Module(path, name, room, is_package, ast.parse(text), len(text.splitlines())))
    return modules


def imports_of(module: Module) -> list[tuple[int, str, tuple[str, ...], bool]]:
    """Return (line, absolute target, imported names, was it relative) of every import of the package."""
    found: list[tuple[int, str, tuple[str, ...], bool]] = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, (), False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            target = absolute_target(module, node)
            names = tuple(alias.name for alias in node.names)
            found.append((node.lineno, target, names, node.level > 0))
        elif isinstance(node, ast.Call) and called_name(node)[1] in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append((node.lineno, first.value, (), False))
            elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                found.append((node.lineno, str(first.values[0].value).rstrip("."), (), False))
    return [item for item in found if item[1].split(".")[0] == PACKAGE]


def absolute_target(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = module.name.split(".")
    drop = node.level - (1 if module.is_package else 0)
    base = base[: len(base) - drop] if drop else base
    return ".".join([*base, *(node.module.split(".") if node.module else [])])


def called_name(node: ast.Call) -> tuple[str, str]:
    """Return ("joblib", "load") for ``joblib.load(...)`` and ("", "print") for ``print(...)``."""
    if isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func.value), node.func.attr
    return "", node.func.id if isinstance(node.func, ast.Name) else ""


def breaches_of_import_law(source: Path) -> list[str]:
    breaches = []
    for module in read_package(source):
        if module.room is None:
            continue
        if module.room not in FLOOR_OF:
            breaches.append(f"{module.place}: room {module.room!r} stands on no floor")
            continue
        breaches += [
            f"{module.place}:{line}: {fault}"
            for line, target, names, relative in imports_of(module)
            for fault in faults_of_import(module, target, names, relative=relative)
        ]
    return breaches


def faults_of_import(module: Module, target: str, names: tuple[str, ...], *, relative: bool) -> list[str]:
    """Return what one import does wrong; `module.room` stands on a floor."""
    home = str(module.room)
    room = target.partition(".")[2].split(".")[0]
    here, there = FLOOR_OF[home], FLOOR_OF.get(room)
    fault = None
    if target == PACKAGE:
        fault = f"imports {', '.join(names) or 'itself'} through the face; import from the room"
    elif room == home:
        fault = None
    elif relative:
        fault = f"reaches room {room!r} by a relative import; write from {PACKAGE}.{room} import ..."
    elif there is None:
        fault = f"imports room {room!r}, which stands on no floor"
    elif there > here:
        fault = f"imports up: {home} (floor {here}) from {room} (floor {there})"
    elif there == here:
        fault = f"imports sideways: {home} from {room} (both floor {here})"
    elif [part for part in (*target.split(".")[2:], *names) if part.startswith("_")]:
        fault = f"reaches into room {room!r}; take a name that the room shows"
    return [fault] if fault else []


def circles(source: Path) -> list[str]:
    """Return the circles of imports between files of one folder (between rooms the floors forbid them)."""
    modules = {module.name: module for module in read_package(source)}
    edges = {
        name: {
            found
            for _, target, names, _ in imports_of(module)
            for found in ([f"{target}.{item}" for item in names if f"{target}.{item}" in modules] or [target])
            if found in modules and found != name
        }
        for name, module in modules.items()
        if module.room is not None
    }
    found, done = [], set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            found.append(" -> ".join([*trail[trail.index(name) :], name]))
        elif name not in done:
            for target in sorted(edges.get(name, ())):
                visit(target, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())
    return found


def side_doors(source: Path) -> list[str]:
    """Return prints, unsafe formats, warning filters, global seeds and catch-all files."""
    breaches = []
    for module in read_package(source):
        if module.path.name in ("utils.py", "util.py", "helpers.py", "common.py", "misc.py"):
            breaches.append(f"{module.place}: a file named for nothing; name what it holds")
        for node in ast.walk(module.tree):
            breaches += [f"{module.place}:{node.lineno}: {fault}" for fault in side_doors_of(node)]
    return breaches


def side_doors_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        modules = [alias.name.split(".")[0] for alias in node.names]
        return [f"imports {name}" for name in modules if name in BANNED_MODULES]
    if isinstance(node, ast.ImportFrom) and not node.level:
        home = (node.module or "").split(".")[0]
        names = [alias.name for alias in node.names]
        banned = [f"{home}.{name}" for name in names if (home, name) in BANNED_CALLS]
        return [f"imports {name}" for name in ([home] if home in BANNED_MODULES else banned)]
    return side_doors_of_call(node) if isinstance(node, ast.Call) else []


def side_doors_of_call(node: ast.Call) -> list[str]:
    owner, name = called_name(node)
    if (owner, name) == ("", "print"):
        return ["prints"]
    if (owner, name) in BANNED_CALLS or name == "to_pickle":
        return [f"calls {owner}.{name}"]
    allows = [word.value for word in node.keywords if word.arg == "allow_pickle"]
    safe = all(isinstance(value, ast.Constant) and value.value is False for value in allows)
    return [] if safe else ["allows pickle"]


def long_pieces(source: Path) -> list[str]:
    breaches = []
    for module in read_package(source):
        if module.lines > MAX_FILE_LINES:
            breaches.append(f"{module.place}: {module.lines} lines, at most {MAX_FILE_LINES}")
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            length = code_lines(node)
            if length > MAX_FUNCTION_LINES:
                place = f"{module.place}:{node.lineno}: {node.name}"
                breaches.append(f"{place} has {length} lines, at most {MAX_FUNCTION_LINES}")
    return breaches


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of the body without the docstring (the signature does not count either)."""
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


# --- the house as it stands ---------------------------------------------------------------------------------


def test_imports_go_down_only() -> None:
    assert breaches_of_import_law(SOURCE) == []


def test_no_circle_of_imports() -> None:
    assert circles(SOURCE) == []


def test_no_side_doors() -> None:
    assert side_doors(SOURCE) == []


def test_files_and_functions_are_small() -> None:
    assert long_pieces(SOURCE) == []


def test_the_face_names_every_room_on_its_floor() -> None:
    docstring = ast.get_docstring(ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))) or ""
    told: dict[str, int] = {}
    floor = -1
    for line in docstring.splitlines():
        head = line.split("``")[0].strip()
        floor = int(head) if head.isdigit() else floor
        words = line.split("``")[1::2]
        told.update({word: floor for word in words if word in FLOOR_OF})
    rooms = {module.room for module in read_package(SOURCE) if module.room}
    assert {room: told.get(room) for room in sorted(rooms)} == {
        room: FLOOR_OF.get(room) for room in sorted(rooms)
    }


# --- planted breaches are caught ----------------------------------------------------------------------------


def plant(folder: Path, files: dict[str, str]) -> Path:
    source = folder / PACKAGE
    for name, text in {"__init__.py": "", **files}.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return source


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"schema.py": "from clientscore.churn import ChurnModel"}, "imports up: schema"),
        ({"schema.py": "import clientscore.churn"}, "imports up: schema"),
        ({"schema.py": "import clientscore.churn as c"}, "imports up: schema"),
        ({"need.py": "from clientscore.churn import ChurnModel"}, "imports sideways: need from churn"),
        ({"need.py": "def f():\n    from clientscore.churn import ChurnModel"}, "need:2: imports sideways"),
        (
            {"need.py": "if TYPE_CHECKING:\n    from clientscore.churn import ChurnModel"},
            "need:2: imports sideways",
        ),
        ({"need.py": "class A:\n    import clientscore.churn"}, "need:2: imports sideways"),
        (
            {"need.py": "try:\n    import os\nexcept ImportError:\n    import clientscore.churn"},
            "need:4: imports sideways",
        ),
        ({"need.py": "import importlib\nimportlib.import_module('clientscore.churn')"}, "imports sideways"),
        ({"need.py": "import importlib\nimportlib.import_module(f'clientscore.{x}')"}, "through the face"),
        ({"need.py": "__import__('clientscore.cli')"}, "imports up: need"),
        ({"assessment.py": "from clientscore import churn"}, "imports churn through the face"),
        ({"assessment.py": "from clientscore import ChurnModel"}, "imports ChurnModel through the face"),
        ({"assessment.py": "import clientscore"}, "imports itself through the face"),
        ({"assessment.py": "from . import churn"}, "imports churn through the face"),
        ({"assessment.py": "from .churn import ChurnModel"}, "'churn' by a relative import"),
        (
            {"additive/__init__.py": "", "additive/card.py": "from ..schema import X"},
            "'schema' by a relative",
        ),
        ({"additive/card.py": "from .. import schema"}, "imports schema through the face"),
        ({"additive/__init__.py": "from ..schema import X"}, "'schema' by a relative import"),
        (
            {"features/deep/a.py": "def f():\n    from ...labels import X"},
            "features.deep.a:2: reaches room 'labels'",
        ),
        ({"additive/card.py": "from clientscore.hazard import X"}, "imports up: additive"),
        ({"hazard.py": "from clientscore.additive._card import Term"}, "reaches into room 'additive'"),
        ({"hazard.py": "from clientscore.additive import _card"}, "reaches into room 'additive'"),
        ({"hazard.py": "import clientscore.additive._card"}, "reaches into room 'additive'"),
        ({"novelty.py": "import os"}, "room 'novelty' stands on no floor"),
        ({"cli.py": "from clientscore.novelty import x"}, "'novelty', which stands on no floor"),
        ({"exceptions.py": "from clientscore._checks import x"}, "imports up: exceptions"),
    ],
)
def test_planted_import_is_caught(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    breaches = breaches_of_import_law(plant(tmp_path, files))
    assert len(breaches) == 1
    assert fault in breaches[0]


@pytest.mark.parametrize(
    "files",
    [
        {"cli.py": "from clientscore.schema import X\nfrom clientscore.bundle import load_model"},
        {"additive/__init__.py": "from .card import A", "additive/card.py": "from . import kernel"},
        {"additive/deep/a.py": "from ..card import A\nfrom clientscore.schema import X"},
        {"features/a.py": "import numpy as np\nfrom clientscore.labels import X\nimport clientscores"},
        {"__init__.py": "from clientscore import cli"},
    ],
)
def test_lawful_imports_pass(tmp_path: Path, files: dict[str, str]) -> None:
    assert breaches_of_import_law(plant(tmp_path, files)) == []


def test_planted_circle_is_caught(tmp_path: Path) -> None:
    files = {
        "additive/__init__.py": "from .card import A",
        "additive/card.py": "def f():\n    from .learn import B",
        "additive/learn.py": "from . import card",
        "additive/kernel.py": "import numpy",
    }
    found = circles(plant(tmp_path, files))
    assert found == [
        "clientscore.additive.card -> clientscore.additive.learn -> clientscore.additive.card",
    ]
    plant(tmp_path, {"additive/learn.py": "from .kernel import K"})
    assert circles(tmp_path / PACKAGE) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def f():\n    print(1)", "a:2: prints"),
        ("import pickle", "imports pickle"),
        ("def f():\n    import pickle as p", "a:2: imports pickle"),
        ("from pickle import loads", "imports pickle"),
        ("import joblib\njoblib.load('x')", "a:2: calls joblib.load"),
        ("from joblib import load", "imports joblib.load"),
        ("import numpy as np\nnp.load(f, allow_pickle=True)", "a:2: allows pickle"),
        ("np.load(f, allow_pickle=flag)", "allows pickle"),
        ("frame.to_pickle('x')", "calls frame.to_pickle"),
        ("import warnings\nwarnings.simplefilter('ignore')", "calls warnings.simplefilter"),
        ("np.random.seed(0)", "calls np.random.seed"),
    ],
)
def test_planted_side_door_is_caught(tmp_path: Path, text: str, fault: str) -> None:
    breaches = side_doors(plant(tmp_path, {"features/a.py": text}))
    assert len(breaches) == 1
    assert fault in breaches[0]


def test_planted_catch_all_file_is_caught(tmp_path: Path) -> None:
    assert side_doors(plant(tmp_path, {"features/utils.py": ""})) == [
        "features.utils: a file named for nothing; name what it holds",
    ]


def test_open_doors_are_not_side_doors(tmp_path: Path) -> None:
    text = (
        "import numpy as np\nnp.load(f, allow_pickle=False)\nconsole.print(1)\nfrom joblib import Parallel\n"
    )
    assert side_doors(plant(tmp_path, {"cli.py": text})) == []


def test_planted_length_is_caught(tmp_path: Path) -> None:
    body = '    """One.\n\n' + "    text\n" * 60 + '    """\n' + "    x = 1\n" * MAX_FUNCTION_LINES
    source = plant(tmp_path, {"churn.py": "def f():\n" + body, "need.py": "x = 1\n" * 500 + "x = 1\n"})
    assert long_pieces(source) == ["need: 501 lines, at most 500"]
    plant(tmp_path, {"churn.py": "def f():\n" + body + "    x = 1\n"})
    assert long_pieces(source)[0] == "churn:1: f has 51 lines, at most 50"
