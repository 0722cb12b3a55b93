"""Says what a flow does in plain sentences, so that what was meant can be compared with what was written."""

from collections.abc import Iterator
from decimal import Decimal

from sop_engine.core.catalog import Goal
from sop_engine.core.explain import text_of, text_of_value
from sop_engine.core.playbook import Choice, Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.say_forms import again, length, limit, schedule, step_time
from sop_engine.core.say_words import Words, words_of


def say(flow: Flow, project: Project, *, locale: str = "zh-CN") -> str:
    """The flow read back, one line for its start, each step and its ends; Chinese, or English where the locale is not Chinese."""
    teller = _Teller(flow, project, words_of(locale))
    lines = [teller.start(), *teller.steps(), teller.ends()]
    return "\n".join(line for line in lines if line)


class _Teller:
    def __init__(self, flow: Flow, project: Project, words: Words) -> None:
        self.flow = flow
        self.project = project
        self.words = words

    def start(self) -> str:
        words, flow = self.words, self.flow
        condition = text_of(flow.only) if flow.only is not None else ""
        day = words["the_joining"] if flow.anchor == "joined" else words["the_anchor"].format(flow.anchor)
        day = day if flow.anchor else words["the_start"]
        begin = self._begin()
        if flow.start.kind in ("every", "date"):
            first = words["begins_for" if condition else "begins"].format(begin, day, condition)
        else:
            first = words["begins"].format(begin + (words["only"].format(condition) if condition else ""), day)
        return self._joined([first, *self._arms()])

    def _begin(self) -> str:
        words, start = self.words, self.flow.start
        condition = text_of(start.condition) if start.condition is not None else ""
        match start.kind:
            case "level":
                return words["start_level" if start.level else "start_unscored"].format(start.tier, start.level)
            case "event":
                where = text_of(start.where) if start.where is not None else ""
                return words["start_event_where" if where else "start_event"].format(events_text(start.events, self.project, words), where)
            case "every" if start.schedule:
                return words["start_every"].format(schedule(start.schedule, words))
            case "date" if start.instant:
                return words["start_date"].format(f"{start.instant.local:%Y-%m-%d %H:%M}")
        return words["start_leave" if start.kind == "leave" else "start_enter"].format(condition)

    def _arms(self) -> Iterator[str]:
        words, flow = self.words, self.flow
        shares = [share for _, share in flow.variants]
        names = words["list"].join(name for name, _ in flow.variants)
        if len(shares) == 2 and shares[0] == shares[1]:
            arms = words["halves"].format(names)
        else:
            arms = words["list"].join(words["share"].format(name, _percent(share)) for name, share in flow.variants)
        if flow.holdout:
            yield words["holdout"].format(_percent(flow.holdout), arms or words["all"])
        elif arms:
            yield words["arms"].format(arms)
        if flow.rollout < 1:
            yield words["rollout"].format(_percent(flow.rollout))

    def steps(self) -> Iterator[str]:
        for step in self.flow.steps:
            yield self.words["step"].format(step_time(step, self.words), step.name, self._acts(step))

    def _acts(self, step: Step) -> str:
        words = self.words
        acts = [*self._choices(step)]
        if step.void:
            acts.append(words["void"].format(step.void))
        acts += [words["set"].format(name, text_of_value(value)) for name, value in step.sets]
        condition = words["if"].format(text_of(step.when)) if step.when is not None else ""
        return condition + (words["comma"].join(acts) or words["nothing"])

    def _choices(self, step: Step) -> Iterator[str]:
        """What is sent and given: by arm or word where there is a choice, else straight on."""
        words = self.words
        by = next((c.by for c in (step.send, step.give) if c and c.by), "")
        if not by:
            yield from self._sent_and_given(step, "")
            return
        options = dict.fromkeys(word for c in (step.send, step.give) if c and c.by for word, _ in c.options)
        told = []
        for word in options:
            does = words["comma"].join(self._sent_and_given(step, word)) or words["nothing"]
            told.append(words["choice"].format(words["otherwise"] if word == "otherwise" else word, does))
        yield ("" if by == "variant" else words["by"].format(by)) + words["semicolon"].join(told)

    def _sent_and_given(self, step: Step, word: str) -> Iterator[str]:
        words = self.words
        sent = [words["send"].format(name, self._channel(name)) for name in _picked(step.send, word)]
        if sent:
            yield words["else"].join(sent)
        for name in _picked(step.give, word):
            benefit = self.project.benefits.get(name)
            instead = words["give_else"].format(benefit.if_empty) if benefit and benefit.if_empty else ""
            yield words["give"].format(name) + instead

    def _channel(self, template: str) -> str:
        known = template in self.project.templates
        return self.project.template(template, None).channel if known else "?"

    def ends(self) -> str:
        words, flow = self.words, self.flow
        said = []
        if flow.goal is not None:
            said.append(
                words["goal_counts" if "goal" in flow.keep_going else "goal_ends"].format(goal_text(flow.goal, self.project, words))
            )
        if flow.counts:
            said.append(words["counts"].format(words["list"].join(goal_text(goal, self.project, words) for goal in flow.counts)))
        if flow.start.kind in ("level", "enter"):
            leaving = "left" if flow.start.kind == "level" else "untrue"
            said.append(words["stays" if "left" in flow.keep_going else leaving])
        said += [words["exit"].format(reason, text_of(condition)) for reason, condition in flow.exits]
        return self._joined([*said, again(flow.again, words), *self._limits()])

    def _limits(self) -> Iterator[str]:
        words, flow = self.words, self.flow
        if flow.existing:
            yield words["existing"].format(flow.existing_per_day)
        if flow.budget is not None:
            yield words["budget"].format(limit(flow.budget, words))
        if flow.approve_by:
            yield words["approve"].format(flow.approve_by)
        if flow.no_benefit:
            yield words["no_benefit"].format(flow.no_benefit)

    def _joined(self, sentences: list[str]) -> str:
        return ("" if self.words["comma"] == "，" else " ").join(sentences)


def goal_text(goal: Goal, project: Project, words: Words) -> str:
    """A goal with its window and what reaches it: 「首单」（触达后 14 天内 order）."""
    wanted = text_of(goal.enter) if goal.enter is not None else events_text(goal.events, project, words)
    if goal.where is not None:
        wanted += f" [{text_of(goal.where)}]"
    name = words["name"].format(goal.name) if goal.name in project.goals else ""
    return words["goal_event"].format(name, length(goal.within, words), wanted).strip()


def events_text(kinds: tuple[str, ...], project: Project, words: Words) -> str:
    """The events as they are called together where they are a group, else one by one."""
    group = next((name for name, members in project.groups.items() if set(members) == set(kinds)), "")
    return group or words["list"].join(kinds)


def _picked(choice: Choice | None, word: str) -> tuple[str, ...]:
    if choice is None:
        return ()
    return choice.pick(word if choice.by else None) or ()


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"
