"""The last look before a touch is sent: Send, Defer until, or Skip with a reason; the order of the checks is the law."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import local_day, midnight, next_open
from sop_engine.core.catalog import Channel
from sop_engine.core.circuit import account_of_template
from sop_engine.core.conditions import Facts, Value, holds
from sop_engine.core.consent import Standing, agreed, refused
from sop_engine.core.explain import outcome_reason
from sop_engine.core.forms import Hours, Limit
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.rules import Rule, country_of, rules_for
from sop_engine.core.template import Template

Suppressions = Callable[[Channel, str], Sequence[tuple[str, str]]]


def _nothing(_channel: Channel, _address: str) -> Sequence[tuple[str, str]]:
    return ()


WAITS = ("hours", "cap", "priority", "ceiling", "paused", "handoff", "expired")
A_DAY = 5  # counted messages of one user on one local day, over all playbooks, whatever the caps allow: more is a mistake
LOOK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Skip:
    """Not sent, for this reason; `detail` says more."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: looked at again at `until`; too late by then, it is skipped with this reason."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Send:
    """May be sent: the text, its channel and address. All None for a step that sends nothing."""

    template: Template | None = None
    channel: Channel | None = None
    address: str = ""
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A counted marketing message of the user: when, on which local day, over which channel."""

    at: datetime
    day: int
    channel: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the last look reads, fresh from the database in the transaction that would write the intent."""

    project: Project
    flow: Flow
    step: Step
    now: datetime
    zone: ZoneInfo
    facts: Facts  # the user's, and event.F, start.N, step.S
    late_at: datetime
    run_open: bool = True
    waited_for: str | None = None  # the reason of the last Defer
    variant: str | None = None
    level: str | None = None  # of the primary tier
    quiet_days: int | None = None  # local days since the last activity
    opted_out: frozenset[str] = frozenset()  # refusals that stand: channels, *, or CHANNEL/TOPIC
    agreed: frozenset[str] = frozenset()  # permissions that stand, in the same words
    silence_agrees: bool = False  # in rehearsals: the users of a story have agreed to what they never spoke of
    suppressed: Suppressions = _nothing  # by channel and address: (scope, reason) of each entry of the list
    sent: Sequence[Sent] = ()
    rivals: int = 0  # marketing touches of higher priority, planned for the user's local day
    paused: bool = False
    held: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)  # accounts nobody may call now: why, until when
    handed_off: bool = False
    expired: bool = False
    extra: Mapping[str, Value | None] = field(default_factory=dict)  # benefit.*, link.*: known only when sent
    routes: Mapping[str, "str | Skip"] = field(default_factory=dict)  # by template: where it goes instead of the address, or why it cannot
    locale: str | None = None
    tried: Mapping[str, Skip] = field(default_factory=dict)  # templates that could not be written, and why


def look(s: Situation) -> Send | Defer | Skip:
    """The decision for one touch, in the order of the language: run, late, when, audience, choice, templates, waits."""
    refusal = _run(s) or _when(s) or _audience(s)
    if refusal is not None:
        return refusal
    found = _message(s)
    if isinstance(found, Skip):
        return found
    return _waits(s, found) or found


def _run(s: Situation) -> Skip | None:
    outlives = s.step.at is not None and s.step.at.kind in ("goal", "end")
    if not s.run_open and not outlives:
        return Skip("ended")
    if s.now > s.late_at:
        return Skip(s.waited_for if s.waited_for in WAITS else "late")
    return None


def _when(s: Situation) -> Skip | None:
    if s.step.when is None or holds(s.step.when, s.facts):
        return None
    return Skip("when", f"{s.step.when_place or s.step.place}   {outcome_reason(s.step.when, s.facts)}")


def _purpose(s: Situation) -> str:
    """The purpose of the step: that of its first text; a step that sends nothing is internal."""
    if s.step.send is None:
        return "internal"
    names = s.step.send.names()
    return s.project.template(names[0], s.locale).purpose


def _audience(s: Situation) -> Skip | None:
    if _purpose(s) != "marketing":
        return None
    settings = s.project.settings
    if settings.only is not None and not holds(settings.only, s.facts):
        return Skip("excluded", str(outcome_reason(settings.only, s.facts)))
    if s.flow.intent == "win_back":
        return None
    tier = s.project.tiers.get(settings.primary_tier)
    if tier is not None and s.level in tier.silent:
        return Skip("suppressed", f"{tier.name} = {s.level}")
    stale = settings.stale_after
    if stale is not None and stale.days is not None and s.quiet_days is not None and s.quiet_days >= stale.days:
        return Skip("stale", f"no activity for {s.quiet_days} days")
    return None


def choice_word(step: Step, by: str, facts: Facts, variant: str | None) -> str | None:
    """The word a choice is made by: the run's variant, or the value of the name."""
    if by == "variant":
        return variant
    value = facts.get(step.by.key) if step.by is not None else None
    return None if value is None else str(value)


def _message(s: Situation) -> Send | Skip:
    if s.step.send is None:
        return Send()
    word = choice_word(s.step, s.step.send.by, s.facts, s.variant)
    names = s.step.send.pick(word)
    if names is None:
        return Skip("no_choice", f"nothing fits '{word}'" if word else "the value it chooses by is unknown")
    failures: list[tuple[str, Skip]] = []
    for name in names:
        found = s.tried.get(name) or _deliverable(s, s.project.template(name, s.locale), word or "")
        if isinstance(found, Send):
            return found
        failures.append((name, found))
    told = "; ".join(f"{name}: {skip.reason}" + (f" ({skip.detail})" if skip.detail else "") for name, skip in failures)
    return Skip(failures[-1][1].reason, told)


def _deliverable(s: Situation, template: Template, word: str) -> Send | Skip:
    channel = s.project.channels[template.channel]
    address = "" if channel.to is None else s.facts.get(channel.to)
    forbidden = _forbidden(s, template, channel, str(address or ""))
    if forbidden is not None:
        return forbidden
    route = s.routes.get(template.name, "")
    if address is None or (channel.to is not None and address == ""):
        return Skip("no_channel", f"{channel.to} is unknown")
    if channel.needs is not None and template.purpose != "internal" and not holds(channel.needs, s.facts):
        return Skip("needs", str(outcome_reason(channel.needs, s.facts)))
    missing = next((n for n in sorted(template.required) if n not in s.extra and s.facts.get(n) is None), None)
    if missing is not None:
        return Skip("unknown", f"'{missing}' is unknown")
    return route if isinstance(route, Skip) else Send(template, channel, route or str(address), word)


def _forbidden(s: Situation, template: Template, channel: Channel, address: str) -> Skip | None:
    """Whether we may not speak to this person here: the address is on the list, or they refused; nothing binds a word to a colleague."""
    if template.purpose == "internal":
        return None
    listed = s.suppressed(channel, address)
    why = next((reason for scope, reason in listed if scope == "all" or template.purpose == "marketing"), None)
    if why is not None:
        return Skip("suppressed", why)
    stands = Standing(s.opted_out, s.agreed)
    if refused(stands, channel.name, template.purpose, template.content_type):
        return Skip("opted_out")
    for rule in _rules(s, channel, template.purpose):
        if rule.consent == "explicit" and not s.silence_agrees and not agreed(stands, channel.name, template.content_type):
            return Skip("no_consent", rule.id)
        if rule.refuse_if == "minor" and s.project.settings.minor is not None and holds(s.project.settings.minor, s.facts):
            return Skip("minor", rule.id)
    return None


def _rules(s: Situation, channel: Channel, purpose: str) -> tuple[Rule, ...]:
    return rules_for(s.project, channel, purpose, country_of(s.project, s.facts)) if s.project.rules else ()


def _waits(s: Situation, found: Send) -> Defer | None:
    if s.paused:
        return Defer("paused", s.now + LOOK_AGAIN)
    if s.expired:
        return Defer("expired", s.now + timedelta(hours=1))
    if found.template is None or found.channel is None:
        return None
    for account in (found.channel.account, account_of_template(found.template.name)):
        if account in s.held:
            return Defer(*s.held[account])
    purpose = found.template.purpose
    closed = _closed(s, open_hours(s, found.channel, purpose))
    if closed is not None or purpose == "internal":
        return closed
    if s.handed_off:
        return Defer("handoff", s.now + LOOK_AGAIN)
    return _cap(s, found.channel) if purpose == "marketing" else None


def open_hours(s: Situation, channel: Channel, purpose: str) -> list[Hours]:
    """The windows a message must be inside of: the channel's own, and for marketing the project's."""
    windows = [channel.hours] if channel.hours else []
    windows += [rule.hours for rule in _rules(s, channel, purpose) if rule.hours is not None]
    return [*windows, s.project.settings.hours] if purpose == "marketing" else windows


def _closed(s: Situation, windows: list[Hours]) -> Defer | None:
    opens = next_open(s.now, windows, s.zone)
    if opens == s.now:
        return None
    return Defer("hours", opens or s.late_at + timedelta(seconds=1))


def _cap(s: Situation, channel: Channel) -> Defer | None:
    own = [*channel.caps, *(limit for rule in _rules(s, channel, "marketing") for limit in rule.caps)]
    limits = [(limit, None) for limit in s.project.settings.caps] + [(limit, channel.name) for limit in own]
    for limit, name in limits:
        used = _used(s, limit, name)
        if used >= limit.most:
            return Defer("cap", _after_cap(s, limit, channel))
        if name is None and s.rivals and used + s.rivals >= limit.most:
            return Defer("priority", _after_cap(s, limit, channel))
    today = local_day(s.now, s.zone).toordinal()
    return Defer("ceiling", s.now + LOOK_AGAIN) if sum(m.day == today for m in s.sent) >= A_DAY else None


def _used(s: Situation, limit: Limit, channel: str | None) -> int:
    rows = [m for m in s.sent if channel is None or m.channel == channel]
    if limit.per.days is not None:
        first = local_day(s.now, s.zone).toordinal() - limit.per.days + 1
        return sum(1 for m in rows if m.day >= first)
    since = s.now - (limit.per.exact or timedelta())
    return sum(1 for m in rows if m.at > since)


def _after_cap(s: Situation, limit: Limit, channel: Channel) -> datetime:
    """When to look again: in the opening hours after the user's next midnight for days, in an hour for exact lengths."""
    if limit.per.days is None:
        return s.now + timedelta(hours=1)
    tomorrow = midnight(local_day(s.now, s.zone) + timedelta(days=1), s.zone)
    return next_open(tomorrow, open_hours(s, channel, "marketing"), s.zone) or tomorrow
