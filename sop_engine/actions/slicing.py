"""Does a task about everybody slice by slice, here or by workers who are handed hints; one bad user never stops the others."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from sop_engine.actions.everybody import Span, place_span, sweep_span
from sop_engine.app import App, Work
from sop_engine.core.calendar import midnight
from sop_engine.store import set_aside, slices
from sop_engine.store.migrate import refuse_newer
from sop_engine.store.people import lock_slice
from sop_engine.store.repeating import repeated
from sop_engine.store.slices import Hint

if TYPE_CHECKING:
    from sqlalchemy import Connection

SWEEP, REFRESH = "sweep", "refresh"  # of a local day (its ordinal), of an instant
AT_ONCE = 64  # so many slices of a task are handed out at a time
MOST_BAD = 20  # if more users of one slice fail, it is not the users

HandOut = Callable[[Sequence[Hint]], object]


def work_off(app: App, task: str, now: datetime, hand_out: HandOut | None = None) -> bool:
    """Do every open slice of a task here, or hand them out to workers; whether all are done.

    Slices that are handed out and not done within the lease are handed out again at a later call.
    """

    def look() -> tuple[list[int], list[Hint]]:
        with app.transaction() as tx:
            left = slices.left(tx, task)
            claims = left and hand_out is not None
            return left, slices.claim(tx, task, app.lease_time(tx, now), app.ladder.lease, AT_ONCE) if claims else []

    left, hints = repeated(look)
    if hand_out is not None:
        if hints:
            hand_out(hints)
        return not left
    for first in left:
        do_slice(app, task, first, now)
    return True


def do_slice(app: App, task: str, first: int, now: datetime, *, epoch: int | None = None) -> int | None:
    """Do one slice in one transaction; how many moves, or None when it is done already or (with `epoch`) was given to somebody else.

    If that fails, its users are tried in halves, until those with whom it fails are alone: they are set aside, the others go on.
    """
    size = None

    def whole() -> int | None:
        nonlocal size
        with app.transaction() as tx:
            size = slices.take(tx, task, first, epoch)
            if size is None:
                return None
            moves = _do(app, tx, task, (first, size))
            slices.finish(tx, task, first, moves)
            return moves

    def close() -> int | None:
        with app.transaction() as tx:
            if slices.take(tx, task, first, epoch) is None:
                return None
            slices.finish(tx, task, first, moves)
            return moves

    try:
        return repeated(whole)
    except Exception as error:
        if size is None or not set_aside.may_be_one_user(error, app.told_to_end):
            raise
        moves = _by_halves(app, task, (first, size), now, error)
    return repeated(close)


def _do(app: App, tx: "Connection", task: str, span: Span) -> int:
    refuse_newer(tx)
    lock_slice(tx, *span)
    live = app.live(tx)  # read after the lock: an apply may have been before us
    word, _, when = task.partition(":")
    if word == SWEEP:
        day = date.fromordinal(int(when))
        return sweep_span(Work(app, tx, live, midnight(day, live.zone)), span, day)
    return place_span(Work(app, tx, live, datetime.fromisoformat(when)), span, "refresh")


def _by_halves(app: App, task: str, span: Span, now: datetime, error: Exception) -> int:
    """Do the users of a slice that failed in ever smaller parts, each in a transaction; how many moves.

    Raises the error when it is not about some users: it comes without any, or with more than MOST_BAD.
    """
    _try(app, task, (span[0], 0))
    moves = bad = 0
    waiting = _halves(span, app, task, now, error)
    while waiting:
        part = waiting.pop()
        try:
            moves += _try(app, task, part)
        except Exception as found:
            if bad == MOST_BAD or not set_aside.may_be_one_user(found, app.told_to_end):
                raise
            bad += part[1] == 1
            waiting += _halves(part, app, task, now, found)
    return moves


def _try(app: App, task: str, span: Span) -> int:
    def once() -> int:
        with app.transaction() as tx:
            return _do(app, tx, task, span)

    return repeated(once)


def _halves(span: Span, app: App, task: str, now: datetime, error: Exception) -> list[Span]:
    """What to try next: the second half and then, on top, the first; nothing for one user, who is set aside."""
    first, size = span
    if size > 1:
        return [(first + size // 2, size - size // 2), (first, size // 2)]
    with app.transaction() as tx:
        if not set_aside.set_aside(tx, first, task, now, set_aside.said(error)):
            raise error  # there is no such user: it is something else
    return []
