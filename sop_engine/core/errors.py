"""Every error raised on purpose, as one tree.

SopError
├── BadInput          what a person wrote or passed is wrong; the message says where, what and what to do
│   ├── BadProject    a project does not check; carries every problem at once
│   └── BadFile       a data file cannot be read at all
├── NotFound          a name or id that was asked for does not exist
├── Refused           a change is not allowed now (a second process, an approval that is missing)
└── DeliveryError     a channel's answer that is not success (see channels)
"""

from collections.abc import Sequence
from dataclasses import dataclass


class SopError(Exception):
    """Base of every error raised on purpose; its text is fit for an operator."""


class BadInput(SopError):
    """What was written or passed is wrong. The text says where, what is wrong and what to do."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One message about a project file. `line` and `column` count from 1, columns in characters; `severity` is error, warning or info."""

    file: str
    line: int
    column: int
    severity: str
    code: str
    sentence: str
    source: str = ""  # the text of the line
    length: int = 1  # characters under which ^^^ is drawn

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code}: {self.sentence}"


class BadProject(BadInput):
    """A project has errors. `problems` holds all of them, sorted."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = tuple(problems)


class BadFile(BadInput):
    """A data file cannot be read: missing, empty, of unknown encoding or form."""


class NotFound(SopError):
    """A name or id that was asked for does not exist; the text suggests a close one."""


class Refused(SopError):
    """A change is not allowed now; the text says why and what would allow it."""


class DeliveryError(SopError):
    """A channel did not accept a message.

    `kind` is permanent (never again), retry_after (proven not accepted), user_unreachable (try the next channel) or
    unknown (no answer: never repeated blindly). `reason` is a stored word, `detail` at most 1 KB and without addresses.
    """

    def __init__(self, kind: str, reason: str, detail: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{kind}: {reason} {detail}".strip())
        self.kind = kind
        self.reason = reason
        self.detail = detail[:1024]
        self.retry_after_s = retry_after_s
