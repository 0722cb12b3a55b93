"""Says which flows by themselves write to a user more often than the caps allow."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sop_engine.core.forms import Limit, Schedule
from sop_engine.core.playbook import Flow, Step
from sop_engine.language.lint_places import Lint, step_path
from sop_engine.language.lint_steps import day_of

HORIZON = 60  # days looked at


def lint_caps(lint: Lint) -> None:
    """Add 721: one flow that by itself writes to a user more often than the caps allow. Conditional steps are not counted."""
    for flow in lint.project.flows.values():
        for arm in [name for name, _ in flow.variants] or [""]:
            _caps(flow, sorted(_touches(flow, arm, lint), key=lambda pair: pair[0]), lint)


def _caps(flow: Flow, touches: Sequence[tuple[int, Step]], lint: Lint) -> None:
    for cap in lint.project.settings.caps:
        _over(flow, touches, cap, "the project's", lint)
    for channel in lint.project.channels.values():
        through = [(day, step) for day, step in touches if _channels(step, lint) == {channel.name}]
        for cap in channel.caps:
            _over(flow, through, cap, f"'{channel.name}'s", lint)


def _touches(flow: Flow, arm: str, lint: Lint) -> Iterator[tuple[int, Step]]:
    """The days, from the first start of one user of this arm, on which marketing is sent whatever the user does."""
    again = flow.start.schedule if flow.again.kind == "always" else None
    starts = list(_days(again)) if again is not None else [0]
    for step in flow.steps:
        other_arm = step.send is not None and step.send.by == "variant" and step.send.pick(arm) is None
        if step.when is not None or other_arm or not lint.marketing(step):
            continue
        day = day_of(flow, step)
        own = [day] if day is not None else list(_days(step.every)) if step.every is not None else []
        yield from ((start + one, step) for start in starts for one in own)


def _days(schedule: Schedule) -> Iterator[int]:
    """The days of a schedule, day 0 being a Monday; nothing for schedules whose days are a month or more apart."""
    for day in range(HORIZON):
        match schedule.kind:
            case "day":
                yield day
            case "workday" if day % 7 < 5:
                yield day
            case "weekend" if day % 7 > 4:
                yield day
            case "weekday" if day % 7 == schedule.number - 1:
                yield day
            case "days" if day and day % max(schedule.number, 1) == 0:
                yield day


def _over(flow: Flow, touches: Sequence[tuple[int, Step]], cap: Limit, whose: str, lint: Lint) -> None:
    days = cap.per.days or max(1, int((cap.per.exact or timedelta()).total_seconds() // 86400))
    first = 0
    for number, (day, step) in enumerate(touches):
        while day - touches[first][0] >= days:
            first += 1
        inside = number - first + 1
        if inside > cap.most:
            sentence = f"this is touch {inside} of this flow within {cap.per}, and {whose} cap is {cap.most:f} per {cap.per}. Send less."
            lint.report.warn(lint.key(*step_path(flow, step)), 721, sentence)
            return


def _channels(step: Step, lint: Lint) -> set[str]:
    return {t.channel for t in lint.templates(step.send.names() if step.send else ())}
