"""The commands `sop merge` and `sop merges`: users who are one, who may be, and who are two after all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, show, table

if TYPE_CHECKING:
    from sop_engine.store.merges import MergeTold

One = Annotated[str, typer.Argument(metavar="USER", help="A user's id, or an identity only this user has.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other user.")]
Undo = Annotated[int | None, typer.Option("--undo", metavar="ID", help="Take this merge back, or leave this waiting pair as two.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many of each, the latest.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(merge)
    app.command()(merges)


def merge(one: One, other: Other, by: By = "", project: Folder = HERE, as_json: AsJson = False) -> None:
    """Make one user of two.

    The one who was there first stays. Facts and refusals are united, messages and benefits of both count, runs and coupons that both
    have become one, levels are asked again. An id of either is from then on an id of this user.

    \b
    Examples:
      sop merge 老陈 T10021
      sop merge 老陈 T10021 --by 王经理 --json
    """
    from sop_engine.actions.part import merge_by_hand

    with open_database(project).work(clock()) as work:
        done = merge_by_hand(work, one, other, by=who(by))
    show(done, as_json, f"{done.younger} is {done.older} from now on (merge {done.id}). 'sop merges --undo {done.id}' takes it back.")


def merges(undo: Undo = None, limit: Limit = 20, by: By = "", project: Folder = HERE, as_json: AsJson = False) -> None:
    """List the pairs that wait for a person, and the merges.

    Users who share an identity become one, unless a stronger identity differs: then the pair waits here. 'sop merge' says that they
    are one, '--undo' that they are two: of a pair that waits, or of users who became one. What came after a merge stays with the
    older user, refusals with both, and nothing is sent because of it.

    \b
    Examples:
      sop merges
      sop merges --undo 12 --by 王经理
    """
    from sop_engine.actions.part import list_merges
    from sop_engine.actions.part import undo as take_back

    with open_database(project).work(clock()) as work:
        zone = work.live.zone
        if undo is not None:
            done = take_back(work, undo, by=who(by))
            show(done, as_json, f"{done.older} and {done.younger} are two users.")
            return
        found = list_merges(work, limit)
    text = f"{_waiting(found.waiting, zone)}\n\n{_made(found.made, zone)}".strip()
    show(found, as_json, text)


def _waiting(listed: "Sequence[MergeTold]", zone: ZoneInfo) -> str:
    if not listed:
        return "no pair waits for a person"
    rows = [[m.id, m.older, m.younger, m.why, local(m.at, zone)] for m in listed]
    return table(rows, head=["waiting", "user", "other", "why", "since"], right=[0])


def _made(listed: "Sequence[MergeTold]", zone: ZoneInfo) -> str:
    rows = [[m.id, m.older, m.younger, m.state, m.why, m.by or "sop", local(m.undone_at or m.at, zone)] for m in listed]
    return table(rows, head=["merge", "user", "was", "state", "why", "by", "at"], right=[0]) if rows else ""
