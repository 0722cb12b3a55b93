"""Decides whether a regular expression of a keyword tag is sound and quick on any text, and keeps it compiled."""

import importlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sop_engine.core.errors import BadInput

LONGEST_TEXT = 2_000
"""Signs of a text that are looked at."""

LONGEST_PATTERN = 300
MOST_STEPS = 20_000
"""Ways to go on from one place of the text that a pattern may have: one open repeat and a few short ones."""

# The standard library's own parser: reading the pattern with a second one would judge another pattern than the one that runs.
_parser = importlib.import_module("re._parser")
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def is_pattern(word: str) -> bool:
    """Whether a word of a tag is written as `/…/`."""
    return len(word) > 2 and word.startswith("/") and word.endswith("/")


@lru_cache(maxsize=1024)
def compiled(word: str) -> re.Pattern[str]:
    """The pattern between the slashes, blind to upper and lower case. Raises BadInput with what is wrong and what to write."""
    pattern = word[1:-1]
    if len(pattern) > LONGEST_PATTERN:
        raise BadInput(
            f"'{word[:30]}…' is too long for a pattern ({len(pattern)} signs). Write at most {LONGEST_PATTERN}, or several words."
        )
    try:
        found = re.compile(pattern, re.IGNORECASE)
        tree = _parser.parse(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(f"'{word}' is not a regular expression: {error}. To look for these very signs, leave out the slashes.") from None
    if _nested(tree, inside=False):
        raise BadInput(f"'{word}' repeats something that itself repeats or chooses, which can take for ever. Write the inner part out.")
    if _steps(tree) > MOST_STEPS:
        raise BadInput(f"'{word}' leaves too many ways to match, which can take for ever. Use '*' or '+' once, and '.{{0,20}}' elsewhere.")
    return found


def _parts(node: Any) -> Iterator[tuple[str, Any]]:
    """Every operation of the tree under this node, as (name, argument), the nearest first."""
    if isinstance(node, _parser.SubPattern):
        for operation, argument in node:
            yield str(operation), argument
    elif isinstance(node, list | tuple):
        for inner in node:
            yield from _parts(inner)


def _nested(node: Any, *, inside: bool) -> bool:
    for name, argument in _parts(node):
        repeats = name in _REPEATS
        chooses = (repeats and argument[0] != argument[1]) or name in ("BRANCH", "GROUPREF")
        if (inside and chooses) or _nested(argument, inside=inside or (repeats and argument[1] > 1)):
            return True
    return False


def _steps(node: Any) -> int:
    steps = 1
    for name, argument in _parts(node):
        if name in _REPEATS:
            steps *= min(int(argument[1]), LONGEST_TEXT) - min(int(argument[0]), LONGEST_TEXT) + 1
        elif name == "BRANCH":
            steps *= len(argument[1])
        steps *= _steps(argument)
    return steps
