"""What pyproject.toml has to say twice is the same: a dependency group, and the extra of its name."""

import re
import tomllib
from pathlib import Path

import pytest

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
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
