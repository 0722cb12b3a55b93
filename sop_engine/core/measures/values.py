"""What a measure is and what was found: frozen values, with everything a reader needs to judge the figure."""

from dataclasses import dataclass, field

GROUPS = ("reach", "conversion", "retention", "money", "effort", "referral", "structure")
SORTS = ("rate", "share", "change", "times", "money", "number", "points", "context")


@dataclass(frozen=True, slots=True)
class Reference:
    """A figure somebody published without its source: its row, and the value as text in both languages. Never an expectation."""

    row: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure. `sort` says how its value is read (SORTS); `what` is its definition with window, numerator and denominator."""

    key: str
    group: str
    sort: str
    zh: str
    en: str
    what_zh: str
    what_en: str
    references: tuple[Reference, ...] = ()
    rows: tuple[str, ...] = ()  # rows it answers without a quoted value

    def title(self, lang: str) -> str:
        """Its name in a language."""
        return self.zh if lang == "zh" else self.en

    def what(self, lang: str) -> str:
        """Its definition in a language."""
        return self.what_zh if lang == "zh" else self.what_en

    @property
    def answers(self) -> tuple[str, ...]:
        """Every row this measure answers."""
        return (*(r.row for r in self.references), *self.rows)


@dataclass(frozen=True, slots=True)
class Found:
    """One figure of a measure, of one group of users (`label`, "" for all).

    `value` is numerator ÷ denominator, or compares it with `base`: the same quotient of the others, or of the time before.
    `low` and `high` are 95 % limits of a rate, or of a comparison of two rates. `left_out` are those too young to be judged.
    `why` is a word of WHY when there is no value or too few stand behind it, with `about` naming what; `notes` are words of NOTES
    with a number or a text.
    """

    label: str = ""
    numerator: float | None = None
    denominator: float | None = None
    value: float | None = None
    base: float | None = None
    low: float | None = None
    high: float | None = None
    left_out: int = 0
    why: str = ""
    about: str = ""
    notes: tuple[tuple[str, float | str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Told:
    """A measure with its figures over a window of local days, both included (ISO dates)."""

    measure: Measure
    since: str
    until: str
    found: tuple[Found, ...]
