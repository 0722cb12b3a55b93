"""Says who is at the keyboard: whatever an operator does is noted with a name."""

import getpass
from typing import Annotated

import typer

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it; the login name if not said.")]


def who(by: str) -> str:
    """The name that was said, else that of the login."""
    if by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
