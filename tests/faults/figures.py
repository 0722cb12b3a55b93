"""Prints what a run of the fault suite came to, in one line that programs read."""

import subprocess
from pathlib import Path


def figure(name: str, values: str, passed: bool, *, seed: int | str = "-") -> int:
    """Print the line; the exit code."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    print(f"FIGURE {name} {values} seed={seed} commit={done.stdout.strip() or '-'} {'PASS' if passed else 'FAIL'}", flush=True)
    return 0 if passed else 1
