"""Says what is odd about benefits: promised and not given, given and not mentioned, given twice, recalled too late."""

from collections.abc import Iterator

from sop_engine.core.catalog import Benefit
from sop_engine.core.conditions import refs_of
from sop_engine.core.forms import Limit, Schedule, Valid
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.template import Template
from sop_engine.core.wording import offer_words
from sop_engine.language.lint_places import Lint, step_path
from sop_engine.language.lint_steps import days_after

_EVERY = {"day": 1, "workday": 1, "weekend": 1, "weekday": 7, "month_day": 31, "year": 365}


def lint_benefits(lint: Lint) -> None:
    """Add the messages 706, 710 and 715."""
    for flow in lint.project.flows.values():
        refused: set[tuple[str, str]] = set()
        for number, step in enumerate(flow.steps):
            if flow.no_benefit:
                _offers(flow, step, lint)
            _mentioned(flow, step, lint)
            _void(flow, step, flow.steps[:number], lint)
            _repeated(flow, step, lint)
            _given_again(flow, step, flow.steps[:number], refused, lint)
            _recalled(flow, step, flow.steps[:number], lint)


def _promises(template: Template) -> bool:
    """Whether the text writes about a benefit or makes an offer."""
    return any(n.startswith("benefit.") for n in template.uses) or bool(offer_words(template.subject + "\n" + template.body))


def _offers(flow: Flow, step: Step, lint: Lint) -> None:
    for template in lint.templates(step.send.names() if step.send else ()):
        if template.purpose != "internal" and _promises(template):
            sentence = f"this flow promises 'no_benefit', but '{template.name}' makes an offer. Send another text, or drop the promise."
            lint.report.warn(lint.at(*step_path(flow, step), "send"), 706, sentence)


def _mentioned(flow: Flow, step: Step, lint: Lint) -> None:
    for word, names in step.give.options if step.give else ():
        sent = _sent_with(step, word)
        silent = [t.name for t in lint.templates(sent) if not _promises(t) and not any(n in t.body for n in names)]
        if not sent or silent:
            who = f"'{silent[0]}' does not mention it" if silent else "this step sends nothing that mentions it"
            sentence = f"'{names[0]}' is given, but {who}. Write 'benefit.code' or 'benefit.name' in the text."
            lint.report.warn(lint.at(*step_path(flow, step), "give"), 710, sentence)


def _sent_with(step: Step, word: str) -> tuple[str, ...]:
    """The templates a user of this word of `give` may get."""
    if step.send is None:
        return ()
    if word == "" or step.give is None or step.send.by != step.give.by:
        return step.send.names()
    return step.send.pick(word) or ()


def _given(step: Step, lint: Lint) -> set[str]:
    """Every benefit the step may give, with those that stand in for it."""
    found = set(step.give.names()) if step.give else set()
    for name in list(found):
        benefit = lint.project.benefits.get(name)
        while benefit is not None and benefit.if_empty and benefit.if_empty not in found:
            found.add(benefit.if_empty)
            benefit = lint.project.benefits.get(benefit.if_empty)
    return found


def _void(flow: Flow, step: Step, earlier: tuple[Step, ...], lint: Lint) -> None:
    if step.void is not None and not any(step.void in _given(one, lint) for one in earlier):
        sentence = f"no step before this one gives '{step.void}', so there is nothing to make void."
        lint.report.warn(lint.at(*step_path(flow, step), "void"), 715, sentence)


def _repeated(flow: Flow, step: Step, lint: Lint) -> None:
    """A step that repeats more often than the limit of what it gives."""
    if step.every is None or step.when is not None or step.give is None:
        return
    for benefit in (lint.project.benefits[n] for n in step.give.names() if n in lint.project.benefits):
        days = benefit.limit.per.days
        if days is not None and (days - 1) // _interval(step.every) + 1 > benefit.limit.most:
            _again(flow, step, benefit, "each time", lint)


def _interval(schedule: Schedule) -> int:
    return _EVERY.get(schedule.kind) or max(schedule.number, 1)


def _given_again(flow: Flow, step: Step, earlier: tuple[Step, ...], refused: set[tuple[str, str]], lint: Lint) -> None:
    """A benefit that an earlier step without a condition gives to the same user, still inside its limit."""
    for option in _options(step):
        benefit = lint.project.benefits.get(option[0])
        if benefit is None or benefit.limit.per.days is None:
            continue
        given = [one for one in earlier if one.when is None and (one.name, benefit.name) not in refused]
        given = [one for one in given if any(_same(other, option) for other in _options(one))]
        inside = [one for one in given if (days := days_after(flow, step, one)) is not None and 0 <= days < benefit.limit.per.days]
        if len(inside) >= benefit.limit.most:
            refused.add((step.name, benefit.name))
            _again(flow, step, benefit, f"after '{inside[-1].name}'", lint)


def _options(step: Step) -> Iterator[tuple[str, str, str]]:
    for word, names in step.give.options if step.give else ():
        yield from ((name, word, step.give.by if step.give else "") for name in names[:1])


def _same(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Whether a user may get both: the same benefit, and the same word of the same choice, or no choice."""
    return one[0] == other[0] and (one[1:] == other[1:] or "" in (one[1], other[1]))


def _again(flow: Flow, step: Step, benefit: Benefit, when: str, lint: Lint) -> None:
    sentence = f"'{benefit.name}' is given again {when}, but its limit is {_written(benefit.limit)}: it will not be given."
    lint.report.warn(lint.at(*step_path(flow, step), "give"), 715, sentence)


def _written(limit: Limit) -> str:
    return f"{limit.most:f} per {limit.per}"


def _recalled(flow: Flow, step: Step, earlier: tuple[Step, ...], lint: Lint) -> None:
    """A reminder of a benefit that has expired by then."""
    if step.give is not None or step.send is None:
        return
    for one in earlier:
        if one.give is None or not _reminds(step, one, lint):
            continue
        days = days_after(flow, step, one)
        for benefit in (lint.project.benefits[n] for n in one.give.names() if n in lint.project.benefits):
            longest = _longest(benefit.valid)
            if days is not None and longest is not None and days > longest:
                sentence = f"this comes {days} days after '{one.name}', but '{benefit.name}' is valid {longest} days. Remind earlier."
                lint.report.warn(lint.at(*step_path(flow, step)), 715, sentence)


def _reminds(step: Step, giver: Step, lint: Lint) -> bool:
    asks = any(ref.space == "step" and ref.name == giver.name and ref.part == "used" for ref in refs_of(step.when))
    texts = lint.templates(step.send.names() if step.send else ())
    offers = any(t.purpose != "internal" and offer_words(t.subject + "\n" + t.body) for t in texts)
    return asks or (step.source == giver.name and offers)


def _longest(valid: Valid) -> int | None:
    if valid.length is not None and valid.length.days is not None:
        return valid.length.days
    if valid.length is not None and valid.length.exact is not None:
        return -(-int(valid.length.exact.total_seconds()) // 86400)
    return {"weekday": 6, "month_end": 30}.get(valid.kind)
