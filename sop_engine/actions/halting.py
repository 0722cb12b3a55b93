"""Says what keeps messages from being sent: stops, a database of another name, or one that is a restored copy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sop_engine.app import App, Work
from sop_engine.settings import Settings
from sop_engine.store import stops
from sop_engine.store.halts import Halts, read_halts

if TYPE_CHECKING:
    from sqlalchemy import Connection

ALL = "all"
PLAYBOOK = "playbook:"
CHANNEL = "channel:"


def sending_allowed(tx: "Connection", settings: Settings) -> str | None:
    """Why nothing at all may be sent from this database with these settings; None when it may. Stops are another matter."""
    return refusal(read_halts(tx), settings)


def refusal(halts: Halts, settings: Settings) -> str | None:
    """The same of what was read before."""
    if settings.instance and settings.instance != halts.name:
        return (
            f"SOP_INSTANCE is '{settings.instance}', and this database is '{halts.name}': nothing is sent. "
            "If this is a copy that is to work on its own, run 'sop adopt'; else put SOP_DATABASE_URL or SOP_INSTANCE right."
        )
    if halts.safe_mode is not None:
        return f"safe mode since {halts.safe_mode['at']}: {halts.safe_mode['why']} Nothing is sent until 'sop reconcile'."
    return None


def halted(work: Work) -> frozenset[str]:
    """The scopes for which nothing is sent now: what is stopped, and `all` where nothing may be sent from this database."""
    halts = read_halts(work.tx)
    if work.app.rehearsal is None:
        work.app.know_instance(halts.instance)
        if refusal(halts, work.app.settings) is not None:
            return halts.stopped | {ALL}
    return halts.stopped


def stop_told(tx: "Connection", settings: Settings, scopes: Sequence[str]) -> str:
    """What holds a touch of these scopes, in words; empty when nothing does."""
    why = sending_allowed(tx, settings)
    if why is not None:
        return why
    row = next((row for row in stops.list_stopped(tx) if row.scope in scopes), None)
    return "" if row is None else f"{in_words(row.scope)} since {_minute(row.at)} by {row.by}" + (f": {row.why}" if row.why else "")


def in_words(scope: str) -> str:
    """The scope as a person says it."""
    if scope == ALL:
        return "everything is stopped"
    kind, _, name = scope.partition(":")
    return f"{kind} '{name}' is stopped"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def scopes_of(app: App, work: Work, flow_id: str, version: int, step_name: str) -> list[str]:
    """The scopes a step belongs to: everything, its playbook, the channels of its texts."""
    found = app.pinned(work, flow_id, version)
    playbook = flow_id.partition("/")[0]
    scopes = [ALL, PLAYBOOK + playbook]
    step = found[0].step(step_name) if found else None
    if found is None or step is None or step.send is None:
        return scopes
    return [*scopes, *(CHANNEL + text.channel for name in step.send.names() for text in _texts(found[1].templates, name))]


def _texts(templates: Mapping[str, Mapping[str, Any]], name: str) -> Sequence[Any]:
    return list(templates.get(name, {}).values())
