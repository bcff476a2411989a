"""The examples of the gallery say which extra is missing, before any work. That they run is seen where the site is built."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples/gallery").glob("plot_*.py"))
# The extra by which a module comes; scikit-learn brings SciPy and threadpoolctl.
EXTRAS = dict.fromkeys(("matplotlib", "sklearn", "scipy", "threadpoolctl"), "demo") | {"dask": "dask"}


def hidden_block(path):
    """What stands in the file and not on its page."""
    return re.search(r"# sphinx_gallery_start_ignore\n(.*)# sphinx_gallery_end_ignore\n", path.read_text(), re.S)[1]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_all_that_is_imported_is_looked_for(path, monkeypatch):
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.partition(".")[0])
    modules -= sys.stdlib_module_names | {"numpy", "xentfast"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit_:
        exec(hidden_block(path), {})
    text = exit_.value.code
    assert set(text.partition(" missing")[0].split(", ")) == modules
    assert set(re.search(r'pip install "xentfast\[([\w,]+)\]"', text)[1].split(",")) == {EXTRAS[name] for name in modules}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_nothing_is_said_where_all_is_there(path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    exec(hidden_block(path), {})


def test_the_site_orders_every_example():
    listed = re.search(r'for name in \((.*?)\)\]\)', (ROOT / "docs/conf.py").read_text(), re.S)[1]
    assert sorted(re.findall(r'"(\w+)"', listed)) == [path.stem.removeprefix("plot_") for path in EXAMPLES]
