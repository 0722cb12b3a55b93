"""What a broker says of itself, as the doctor reads it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """Whether it answers, what it does when its memory is full, and whether it keeps its messages on disk. `problem`: why it does not."""

    answers: bool
    version: str = ""
    eviction: str = ""
    keeps: bool = False
    problem: str = ""
