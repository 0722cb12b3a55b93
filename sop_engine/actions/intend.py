"""Decides about each touch of a batch and writes the intent: the last look, the benefit, the text, all in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sop_engine.actions.composing import Act, Seen, attempt_of, compose
from sop_engine.actions.gather import Gathered, Item, gather, local_day_end
from sop_engine.actions.giving import Awaited, Given, Purse
from sop_engine.actions.outcome import Done, finish
from sop_engine.actions.providers import Ask, note_asks
from sop_engine.actions.routing import Loads, routes, within_load
from sop_engine.actions.suppressing import address_of, against
from sop_engine.app import Work
from sop_engine.channels.contract import Message
from sop_engine.core.approval import LOOK_AGAIN
from sop_engine.core.calendar import local_day
from sop_engine.core.circuit import PAUSE, account_of_template
from sop_engine.core.conditions import Facts, Value
from sop_engine.core.experiment import in_global_holdout
from sop_engine.core.guard import Defer, Send, Sent, Situation, Skip, choice_word, look
from sop_engine.core.interest import QUIET
from sop_engine.core.models import watched
from sop_engine.core.playbook import Flow
from sop_engine.core.run import Touch
from sop_engine.store import attempts, circuits, grants, links, queue, stops, touches, waits
from sop_engine.store.attempts import Attempt
from sop_engine.store.crash_points import cp
from sop_engine.store.people import take_turns

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)  # for a provider that has not said yet whether it gives a benefit


@dataclass(frozen=True, slots=True)
class Intent:
    """A message that will be handed to its channel once the transaction is committed."""

    item: Item
    channel: str
    message: Message


@dataclass
class Batch:
    """What is written at the end of the transaction."""

    seen: Seen
    intents: list[Intent] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)  # of touches that leave `queued`
    attempts: list[Attempt] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    loads: Loads = field(default_factory=dict)
    opening: dict[datetime, int] = field(default_factory=dict)  # by the moment hours begin: how many wait for it by now


def intend(work: Work, queued: list[Touch], asks: list[Ask] | None = None) -> list[Intent]:
    """Decide about these queued touches; store refusals, waits and intents. Returns what is to be sent after the commit.

    `asks` is given what coupon systems must be asked for first; the touches concerned wait.
    """
    stops.hold(work.tx)
    turns = take_turns(work.tx, {t.user_id for t in queued})
    queued = queue.hold(work.tx, queued, "queued")  # meanwhile another worker may have taken them, or their runs ended
    known = gather(work, queued)
    purse = Purse(work, known)
    batch = Batch(Seen(turns, stops.version(work.tx), work.app.lease_time(work.tx, work.now) + work.app.ladder.lease))
    for touch in known.gone:
        batch.rows.append({"touch": touch.id, "state": "cancelled", "reason": "removed", "done_at": work.now, "lease_until": None})
    for item in known.items:
        _decide(work, known, purse, item, batch)
    touches.write(work.tx, "queued", batch.rows)
    attempts.begin(work.tx, batch.attempts)
    links.add(work.tx, work.links)
    if asks is not None:
        asks += note_asks(work, purse.wanted)
    finish(work, batch.done)
    cp("before_intent_commit")
    return batch.intents


def _decide(work: Work, known: Gathered, purse: Purse, item: Item, batch: Batch) -> None:
    facts = facts_of(known, item)
    situation = situation_of(work, known, item, facts)
    tried: dict[str, Skip] = {}
    while True:
        decision = judge(purse, item, facts, replace(situation, tried=tried))
        if isinstance(decision, Defer):
            return _defer(work, item, decision, batch)
        if isinstance(decision, Skip):
            return _skip(work, item, decision, batch)
        failed = _carry_out(work, known, purse, decision, batch)
        if failed is None or decision.send.template is None:
            return None
        tried = {**tried, decision.send.template.name: failed}  # the next template of the list may be written


def judge(purse: Purse, item: Item, facts: Facts, situation: Situation) -> Act | Defer | Skip:
    """The last look, then the benefit, then the hold-out: it comes last, so that it is known who could have been reached."""
    decision = look(situation)
    if not isinstance(decision, Send):
        return decision
    given: Given | Awaited | Skip | None = None
    if item.step.give is not None:
        names = item.step.give.pick(choice_word(item.step, item.step.give.by, facts, situation.variant))
        given = purse.give(item, names[0]) if names else None
    if isinstance(given, Skip):
        return given
    if _withheld(item, decision):
        return Skip("holdout")
    if isinstance(given, Awaited):
        purse.wanted.append((item, given))
        return Defer("benefit", situation.now + min(FIRST_WAIT * 2 ** max(given.tries - 1, 0), LONGEST_WAIT))
    return Act(item, decision, given, facts)


def _withheld(item: Item, send: Send) -> bool:
    """Held-out users of the flow get nothing of it; those of the whole project get no marketing."""
    if not item.run.held_out:
        return False
    marketing = send.template is not None and send.template.purpose == "marketing"
    return marketing or (item.flow.holdout > 0 and not in_global_holdout(item.project.settings, item.person.key))


def facts_of(known: Gathered, item: Item) -> Facts:
    """What is known about the user, the start and the steps of the run."""
    return {**known.facts.get(item.touch.user_id, {}), **item.run.held, **known.steps.get(item.run.id, {})}


def situation_of(work: Work, known: Gathered, item: Item, facts: Facts) -> Situation:
    """What the last look reads."""
    user, settings = item.touch.user_id, item.project.settings
    seen = watched(item.flow)
    quiet, level = facts.get(QUIET), facts.get(settings.primary_tier)
    scopes = {"all", f"playbook:{item.flow.playbook}"} | {f"channel:{c}" for c in _channels(item)}
    held_out_arm = item.run.held_out and item.flow.variants
    return Situation(
        project=item.project,
        flow=item.flow,
        step=item.step,
        now=work.now,
        zone=work.zone_of(item.person.timezone),
        facts=facts,
        late_at=item.touch.late_at,
        run_open=item.run.open,
        waited_for=item.touch.reason,
        variant=item.flow.variants[0][0] if held_out_arm else item.run.variant,
        level=level if isinstance(level, str) else None,
        quiet_days=int(quiet) if isinstance(quiet, Decimal) else None,
        opted_out=known.opted_out.get(user, frozenset()),
        agreed=known.agreed.get(user, frozenset()),
        silence_agrees=work.app.rehearsal is not None,
        suppressed=lambda channel, address: against(known.suppressed, address_of(item.project, channel, address)),
        sent=known.sent.get(user, []),
        rivals=_rivals(work, known, item),
        paused=bool(scopes & known.stopped),
        held=held_accounts(work, known, item),
        handed_off=user in known.handed_off,
        expired=seen is not None and seen[0] in known.expired,
        extra=_placeholders(item),
        locale=item.person.locale,
        routes=routes(work, item, facts),
    )


def held_accounts(work: Work, known: Gathered, item: Item) -> Mapping[str, tuple[str, datetime]]:
    """Accounts nobody may call now, with why and until when; one whose pause is over is tried with this touch alone."""
    held: dict[str, tuple[str, datetime]] = {}
    accounts = {item.project.channels[c].account for c in _channels(item)}
    for account in accounts | {account_of_template(name) for name in (item.step.send.names() if item.step.send else ())}:
        circuit = known.circuits.get(account)
        if circuit is None or circuit.state == "closed":
            continue
        later = work.now + PAUSE
        if circuit.may_try(work.now) and circuits.begin_trying(work.tx, circuit, later):
            known.circuits[account] = replace(circuit, state="probing", until=later)
        else:
            held[account] = (circuit.reason, circuit.until if circuit.until and circuit.until > work.now else later)
    return held | _unapproved(work, item)


def _unapproved(work: Work, item: Item) -> dict[str, tuple[str, datetime]]:
    """Texts that wait for their provider's approval, as a refusal makes them wait; in a rehearsal none does: it tells what is meant."""
    names = item.step.send.names() if item.step.send and work.app.rehearsal is None else ()
    texts = [item.project.template(name, item.person.locale) for name in names]
    return {account_of_template(text.name): ("template", work.now + LOOK_AGAIN) for text in texts if item.project.unapproved(text)}


def _channels(item: Item) -> set[str]:
    names = item.step.send.names() if item.step.send else ()
    return {item.project.template(n, item.person.locale).channel for n in names}


def _placeholders(item: Item) -> Mapping[str, Value | None]:
    """Names that will be known when the message is written: of the benefit, if the step gives one, and of links."""
    benefit = dict.fromkeys((f"benefit.{n}" for n in ("name", "code", "worth", "min_spend", "expires")), None)
    return benefit if item.step.give is not None else {}


def _rivals(work: Work, known: Gathered, item: Item) -> int:
    """Marketing touches of higher priority, planned for the same local day of the user."""
    end = local_day_end(work, item.person)
    higher = [t for t in known.planned.get(item.touch.user_id, ()) if t.rank > item.flow.rank and t.due_at < end]
    return sum(1 for t in higher if _is_marketing(work, t))


def _is_marketing(work: Work, touch: Touch) -> bool:
    flow: Flow | None = work.project.flows.get(touch.flow)
    step = flow.step(touch.step) if flow else None
    if step is None or step.send is None:
        return False
    return any(work.project.template(n, None).purpose == "marketing" for n in step.send.names())


def _defer(work: Work, item: Item, defer: Defer, batch: Batch) -> None:
    due = min(defer.until + _turn_at_opening(work, defer, batch), item.touch.late_at + timedelta(seconds=1))
    row = {"touch": item.touch.id, "state": "planned", "reason": defer.reason, "due_at": due, "lease_until": None}
    batch.rows.append(row)


def _turn_at_opening(work: Work, defer: Defer, batch: Batch) -> timedelta:
    """How long after its hours begin a touch goes: those who wait for the same moment go one after the other, and make no burst."""
    if defer.reason != "hours" or work.app.rehearsal is not None:
        return timedelta(0)
    if defer.until not in batch.opening:
        batch.opening[defer.until] = waits.count_opening(work.tx, defer.until)
    batch.opening[defer.until] += 1
    return waits.turn(batch.opening[defer.until] - 1)


def _skip(work: Work, item: Item, skip: Skip, batch: Batch) -> None:
    batch.rows.append({**_ended(work, item, "skipped", skip.reason), "detail": skip.detail})
    batch.done.append(Done(item, "skipped", skip.reason, work.now))


def _ended(work: Work, item: Item, state: str, reason: str | None = None) -> dict[str, object]:
    return {"touch": item.touch.id, "state": state, "reason": reason, "done_at": work.now, "lease_until": None}


def _carry_out(work: Work, known: Gathered, purse: Purse, act: Act, batch: Batch) -> Skip | None:
    """Write the text and the intent; a text that cannot be written takes no code: then why."""
    item, template = act.item, act.send.template
    if template is None:
        _void(work, item)
        purse.commit(act.given, item)
        batch.rows.append({**_ended(work, item, "sent"), "benefit": act.given.benefit.name if act.given else None, "void": item.step.void})
        batch.done.append(Done(item, "sent", None, work.now))
        return None
    written = compose(work, act, template, purse)
    if not isinstance(written, Skip):
        written = within_load(work, batch.loads, item, act.send.channel, written)
    if isinstance(written, Skip):
        purse.forget(act.given)
        return written
    _void(work, item)
    purse.commit(act.given, item)
    _note_intent(work, known, act, written, batch)
    return None


def _void(work: Work, item: Item) -> None:
    if item.step.void:
        grants.void_unused(work.tx, [item.run.id], item.step.void)


def _note_intent(work: Work, known: Gathered, act: Act, message: Message, batch: Batch) -> None:
    item, template, channel = act.item, act.send.template, act.send.channel
    if template is None or channel is None:
        return
    day = local_day(work.now, work.zone_of(item.person.timezone)).toordinal()
    level = act.facts.get(item.project.settings.primary_tier)
    batch.rows.append(
        {
            "touch": item.touch.id,
            "state": "sending",
            "reason": None,
            "purpose": template.purpose,
            "channel": channel.name,
            "template": template.name,
            "content_type": template.content_type or None,
            "choice": act.send.choice or None,
            "benefit": act.given.benefit.name if act.given else None,
            "void": item.step.void,
            "subject": message.subject,
            "body": message.text,
            "address": message.to,
            "level": level if isinstance(level, str) else None,
            "cost": channel.cost,
            "attempts": item.touch.attempts + 1,
            "intent_at": work.now,
            "intent_day": day,
            "lease_until": batch.seen.lease_until,
        }
    )
    batch.attempts.append(attempt_of(work, item, channel, message, batch.seen))
    if template.purpose == "marketing":
        known.sent.setdefault(item.touch.user_id, []).append(Sent(work.now, day, channel.name))
    batch.intents.append(Intent(item, channel.name, message))
