"""What has to be said twice is the same: a dependency group and the extra of its name, and the version, with its date."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
GROUPS = PYPROJECT["dependency-groups"]


def in_extra(name):
    """Its requirements; those of xentfast's own extras stand for these."""
    for requirement in EXTRAS[name]:
        own = re.fullmatch(r"xentfast\[(.+)\]", requirement)
        if own:
            for other in own[1].split(","):
                yield from in_extra(other)
        else:
            yield requirement


def in_group(name):
    for entry in GROUPS[name]:
        if isinstance(entry, dict):
            yield from in_group(entry["include-group"])
        else:
            yield entry


@pytest.mark.parametrize("name", sorted(EXTRAS.keys() & GROUPS.keys()))
def test_group_is_the_extra(name):
    assert set(in_group(name)) == set(in_extra(name))


@pytest.mark.parametrize("name", GROUPS)
def test_group_does_not_ask_for_the_project(name):
    """It would come from the package index."""
    assert not [requirement for requirement in in_group(name) if requirement.startswith("xentfast")]


def test_version_is_the_same_everywhere():
    """Of a release the date as well."""
    newest = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    citation = dict(re.findall(r"^([\w-]+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.M))
    assert newest[1] == citation["version"] == importlib.metadata.version("xentfast")
    assert citation.get("date-released", "unreleased") == newest[2]
