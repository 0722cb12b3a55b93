"""Says what time makes pointless: tiers in which nobody moves, hours that never open, steps after their level has ended by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sop_engine.core.conditions import And, Compare, Condition, Constant, Ref, Term, refs_of
from sop_engine.core.forms import Hours, Length
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.tiers import Tier
from sop_engine.language.dimensions import names_behind
from sop_engine.language.lint_places import Lint, step_path
from sop_engine.language.lint_steps import day_of

DAY = 24 * 60
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_MOVING = frozenset({"days_until", "years_since"})  # of a date of the user, and yet time moves them


def lint_time(lint: Lint) -> None:
    """Add the messages 725, 727 and 728."""
    for tier in lint.project.tiers.values():
        _static(tier, lint)
    for name, channel in lint.project.channels.items():
        if channel.hours and not _open([channel.hours, lint.project.settings.hours]) and _markets(name, lint):
            sentence = f"marketing through '{name}' is never sent: its hours and those of the project have no minute in common."
            lint.report.warn(lint.at("channels", name, "hours"), 727, sentence)
    for flow in lint.project.flows.values():
        longest = _longest_stay(flow, lint.project)
        for step in flow.steps:
            _never_open(flow, step, lint)
            _after_the_level(flow, step, longest, lint)


def _static(tier: Tier, lint: Lint) -> None:
    """725: every fact behind the rules is an attribute or a tag set by hand, and no step of any flow sets it."""
    project = lint.project
    refs = [ref for level in tier.levels for rule in (level.rule, level.keep) for ref in refs_of(rule)]
    names = list(names_behind(refs, project))
    if not names or any(ref.space.startswith("tier") for ref in refs) or any(_moves(name, project) for name in names):
        return
    read = ", ".join(names)
    sentence = f"nobody moves in '{tier.name}' by what they do or by time: it reads only {read}. Read what users do, or say who keeps it."
    lint.report.inform(lint.key("tier", tier.name), 725, sentence)


def _moves(name: str, project: Project) -> bool:
    if any(key == name for flow in project.flows.values() for step in flow.steps for key, _ in step.sets):
        return True
    metric, tag = project.metrics.get(name), project.tags.get(name)
    if metric is not None:
        return bool(metric.events) or metric.verb in _MOVING or metric.verb.startswith("days_")
    if tag is not None:
        return bool(tag.words) or tag.keeps is not None
    return any(f"(?P<{name}>" in word for one in project.tags.values() for word in one.words)


def _markets(channel: str, lint: Lint) -> bool:
    texts = [text for found in lint.project.templates.values() for text in found.values()]
    return any(text.channel == channel and text.purpose == "marketing" for text in texts)


def _open(windows: Sequence[Hours]) -> frozenset[int]:
    """The minutes of a day that are inside all of these."""
    found = set(range(DAY))
    for one in windows:
        inside = range(one.start, one.end) if one.start < one.end else [*range(one.start, DAY), *range(one.end)]
        found &= set(inside)
    return frozenset(found)


def _never_open(flow: Flow, step: Step, lint: Lint) -> None:
    """727: the step comes outside the hours of all its channels, and is too late before they open."""
    texts = lint.templates(step.send.names() if step.send else ())
    allowed = _minutes(step.late or flow.late)
    if not texts or step.at is None or step.at.minute is None or allowed >= DAY:
        return
    last = step.at.until if step.at.until is not None else step.at.minute + 1
    for text in texts:
        channel = lint.project.channels.get(text.channel)
        windows = [channel.hours] if channel is not None and channel.hours else []
        open_ = _open([*windows, lint.project.settings.hours] if text.purpose == "marketing" else windows)
        if any(minute % DAY in open_ for minute in range(step.at.minute, last + allowed)):
            return
    sentence = f"this is never sent: its hours are closed then, and 'late: {step.late or flow.late}' is over before they open."
    lint.report.warn(lint.at(*step_path(flow, step), "at"), 727, sentence)


def _minutes(length: Length) -> int:
    return DAY * length.days if length.days is not None else int(length.exact.total_seconds() // 60) if length.exact else 0


@dataclass(frozen=True)
class _Stay:
    """How long a rule on days of silence can hold: from `low` to `high` days since something."""

    metric: str
    low: int
    high: int
    least: int = 0  # days the tier keeps a user at least


def _after_the_level(flow: Flow, step: Step, stay: _Stay | None, lint: Lint) -> None:
    """728: by the day of the step the rule that started the flow holds no more, whatever the user does."""
    day = day_of(flow, step)
    if stay is None or day is None:
        return
    longest = stay.high if flow.anchor is not None else max(stay.high - stay.low, stay.least)
    if day > longest:
        sentence = (
            f"this comes on day {day}, and by then '{stay.metric}' has left {stay.low} to {stay.high} days: the flow has ended. "
            "Come earlier, or write 'keep_going: left'."
        )
        lint.report.warn(lint.key(*step_path(flow, step)), 728, sentence)


def _longest_stay(flow: Flow, project: Project) -> _Stay | None:
    if "left" in flow.keep_going:
        return None
    if flow.start.kind == "level" and flow.start.level is not None:
        stay = _of_level(flow.start.tier, flow.start.level, project)
    elif flow.start.kind == "enter":
        stay = next(_of_parts(flow.start.condition, project), None)
    else:
        return None
    return stay if stay is None or flow.anchor is None or _is_anchor(flow.anchor, stay.metric, project) else None


def _is_anchor(anchor: str, metric: str, project: Project) -> bool:
    """Whether the days since the anchor are what the metric counts."""
    date = project.metrics.get(anchor)
    since = project.metrics[metric]
    return date is not None and date.verb == "last" and not since.of and date.events == since.events and date.where == since.where


def _of_parts(condition: Condition | None, project: Project) -> Iterator[_Stay]:
    parts = condition.parts if isinstance(condition, And) else (condition,) if condition is not None else ()
    bounds = list(_bounds(parts, project))
    for metric in dict.fromkeys(name for name, _, _ in bounds):
        low = max((n for name, op, n in bounds if name == metric and op == ">="), default=0)
        high = min((n for name, op, n in bounds if name == metric and op == "<="), default=None)
        if low > 0 and high is not None and high >= low:
            yield _Stay(metric, low, high)
    for part in parts:
        if isinstance(part, Compare) and part.op == "=" and isinstance(part.left, Ref) and isinstance(part.right, Constant):
            found = _of_level(part.left.name, str(part.right.value), project) if part.left.space == "tier" else None
            if found is not None:
                yield found


def _of_level(tier_name: str, name: str, project: Project) -> _Stay | None:
    """The stay in a level: its own rule, and the lone comparisons of those that are asked before it, which did not hold."""
    tier = project.tiers.get(tier_name)
    level = next((one for one in tier.levels if one.name == name), None) if tier else None
    if tier is None or level is None or level.keep is not None or level.rule is None:
        return None
    earlier = [one for one in tier.levels[: tier.levels.index(level)] if isinstance(one.rule, Compare)]
    parts = [level.rule] if not isinstance(level.rule, And) else [*level.rule.parts]
    parts += [turned for one in earlier if isinstance(one.rule, Compare) and (turned := _turned(one.rule)) is not None]
    stay = next(_of_parts(And(tuple(parts)), project), None)
    return _Stay(stay.metric, stay.low, stay.high, tier.min_stay) if stay else None


def _turned(rule: Compare) -> Compare | None:
    other = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}.get(rule.op)
    return Compare(other, rule.left, rule.right) if other else None


def _bounds(parts: Sequence[Condition], project: Project) -> Iterator[tuple[str, str, int]]:
    """Whole days that a comparison of days since something allows: (metric, >= or <=, days)."""
    for part in parts:
        if not isinstance(part, Compare):
            continue
        op, left, right = part.op, part.left, part.right
        if isinstance(left, Constant):
            op, left, right = _FLIPPED.get(op, ""), right, left
        number = _number(right, project)
        metric = project.metrics.get(left.name) if isinstance(left, Ref) and left.space == "metric" else None
        if metric is None or metric.verb != "days_since" or number is None:
            continue
        if op in (">=", ">", "="):
            yield metric.name, ">=", int(number) + 1 if op == ">" else -int(-number // 1)
        if op in ("<=", "<", "="):
            yield metric.name, "<=", -int(-number // 1) - 1 if op == "<" else int(number)


def _number(term: Term, project: Project) -> Decimal | None:
    if isinstance(term, Ref) and term.name in project.metrics:
        formula = project.metrics[term.name].formula
        term = formula if isinstance(formula, Constant) else term
    return term.value if isinstance(term, Constant) and isinstance(term.value, Decimal) else None
