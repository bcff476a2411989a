"""New processes."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

PREFIX = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"


def run(code, timeout=120, **environment):
    """A finished process of its own, which may import these helpers."""
    return subprocess.run([sys.executable, "-P", "-c", PREFIX + textwrap.dedent(code)], capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **environment})


def printed(code, timeout=120, **environment):
    """What it prints; it must end well."""
    process = run(code, timeout, **environment)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()
