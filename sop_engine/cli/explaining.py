"""The command `sop why`: what happened to a user and why, or what keeps it from happening."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.finding import flow_name, normal
from sop_engine.cli.knowing import tell_who_now
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, local, padded, show, width

if TYPE_CHECKING:
    from sop_engine.actions.why import NotStarted, RunTold, Why, WhyLevel
    from sop_engine.actions.why_tag import WhyTag
    from sop_engine.core.explain import Reason
    from sop_engine.store.behind import Behind
    from sop_engine.store.history import PastTouch

QUOTED = 40


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(why)


def why(
    key: Annotated[str, typer.Argument(metavar="USER", help="The user's id, as it was imported, or an identity.")],
    name: Annotated[str | None, typer.Argument(metavar="[FLOW]", help="A playbook, a flow, a tier or a tag.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Explain what happened to a user, and why.

    Each run with its touches, why they were sent or not, and starts that were refused. With a playbook or flow it also says what
    keeps the user from starting it now; with a tier, which rules hold and with what values,
    and the events behind the level; with a tag the same.

    \b
    Examples:
      sop why 老陈
      sop why 老陈 沉默45天唤醒
      sop why 老陈 RFM五档
      sop why 老陈 价格敏感
    """
    from sop_engine.actions.why import why as explain
    from sop_engine.actions.why import why_level
    from sop_engine.actions.why_tag import why_tag
    from sop_engine.store import people, runs

    with open_database(project).work(clock()) as work:
        zone = work.live.zone
        tell_who_now(work, key)
        tier = work.project.tiers.get(normal(name)) if name else None
        if tier is not None:
            placed = why_level(work, key, tier)
            show(placed, as_json, _level(placed, zone))
            return
        tag = work.project.tags.get(normal(name)) if name else None
        if tag is not None:
            given = why_tag(work, key, tag)
            show(given, as_json, "\n".join(_tag(given, zone)))
            return
        had = [r.flow for r in runs.list_runs(work.tx, people.get_id(work.tx, key))]
        found = explain(work, key, flow_name(work.project, name, had) if name else None)
    nothing = f"{key}: no flow has started, and none was refused. 'sop why {key} FLOW' says what is missing."
    show(found, as_json, runs_told(found, zone) or nothing)


def runs_told(found: "Why", zone: ZoneInfo) -> str:
    """An explanation as text, run by run."""
    return "\n\n".join(_why(found, zone))


def _why(found: "Why", zone: ZoneInfo) -> Iterator[str]:
    for run in found.runs:
        yield _run(run, zone)
    for refused in found.refused:
        detail = f"  {refused.detail}" if refused.detail else ""
        yield f"{refused.flow} · {local(refused.at, zone)} · not started: {refused.reason}{detail}"
    for other in found.not_started:
        yield _not_started(other)


def _run(run: "RunTold", zone: ZoneInfo) -> str:
    arm = "hold-out" if run.held_out else run.variant
    head = f"{run.flow} v{run.version} · {local(run.started_at, zone)} · {run.cause} · anchor {run.anchor_on}"
    lines = [head + (f" · {arm}" if arm else "")]
    steps = [t.step for t in run.touches] + ["ended"]
    columns = (max(width(s) for s in steps), max(9, *(width(t.state) for t in run.touches), 0))
    lines += [_touch(touch, zone, columns) for touch in run.touches]
    if run.goal_at is not None:
        lines.append(f"{_short(run.goal_at, zone)}  goal reached")
    if run.ended_at is not None:
        lines.append(f"{_short(run.ended_at, zone)}  {padded('ended', columns[0])}  {run.end_reason}")
    return "\n".join(lines)


def _touch(touch: "PastTouch", zone: ZoneInfo, columns: tuple[int, int]) -> str:
    parts = [_short(touch.at, zone), padded(touch.step, columns[0]), padded(touch.state, columns[1])]
    if touch.reason:
        parts.append(padded(touch.reason, 7))
    if touch.channel and touch.template:
        parts.append(f'{touch.channel} {touch.template} "{_quoted(touch.text)}"')
    if touch.benefit:
        parts.append(f"gives {touch.benefit}")
    if touch.detail:
        parts.append(touch.detail)
    parts += [f"{kind} {_short(at, zone)}" for kind, at in touch.receipts.items()]
    return "  ".join(parts).rstrip()


def _not_started(other: "NotStarted") -> str:
    state = "everything asked holds, but it starts only when that becomes so" if other.holds else "not started"
    lines = [f"{other.flow} · {state} · it starts when the user {other.starts}   {other.place}"]
    return "\n".join([*lines, *(f"    {r}" for r in other.reasons)])


def _level(found: "WhyLevel", zone: ZoneInfo) -> str:
    since = f" since {found.since}" if found.since else ""
    lines = [f"{found.user} · {found.tier} = {found.level or 'unscored'}{since}"]
    if found.by_hand is not None:
        lines.append(f"  set by hand: {found.by_hand}")
    elif found.by_rules != found.level:
        waits = "a move down waits for 'min_stay', any move for the next event or midnight"
        lines.append(f"  the rules now give {found.by_rules or 'unscored'}: {waits}")
    lines += [f"  {one.metric}: {one.says}" for one in found.frozen]
    lines += [f"  only  {r}" for r in found.only]
    for one in found.levels:
        mark, holds = "→" if one.level == found.level else " ", "holds" if one.holds else "does not hold"
        lines.append(f"  {mark} {one.level}  {holds}   {one.place}".rstrip())
        lines += _reasons(one.reasons)
    lines += behind_told(found.events, zone)
    for move in found.moves:
        lines.append(f"  {local(move.at, zone)}  {move.old or 'unscored'} → {move.new or 'unscored'}  ({move.cause})")
    return "\n".join(lines)


def _tag(found: "WhyTag", zone: ZoneInfo) -> Iterator[str]:
    how = {"rule": "by its rule", "words": "by words", "set": "set by a step, a colleague or a system"}[found.how]
    since = f" since {local(found.since, zone)}" if found.since else ""
    until = f" until {found.until}" if found.until else ""
    yield f"{found.user} · {found.tag} · {f'has it, {how}{since}{until}' if found.held else f'does not have it ({how})'}"
    yield from _reasons(found.reasons)
    yield from behind_told(found.events, zone)


def behind_told(events: "Sequence[Behind]", zone: ZoneInfo) -> list[str]:
    """The events behind something, a line each."""
    return [f"  {local(e.at, zone)}  {e.kind}" + "".join(f"  {part}" for part in (e.source, e.by, e.word) if part) for e in events]


def _reasons(reasons: "Sequence[Reason]") -> list[str]:
    return [f"      {r}" for r in reasons]


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTED else f"{flat[:QUOTED]}…"


def _short(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%m-%d %H:%M}"
