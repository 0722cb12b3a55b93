"""Sets what a person says about one user: an attribute, a tag, or a metric or level by hand; and follows what moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.tagging import set_values
from sop_engine.actions.unite import unite_identified
from sop_engine.app import Work
from sop_engine.core.conditions import Value
from sop_engine.core.errors import BadInput, NotFound
from sop_engine.core.explain import text_of_value
from sop_engine.language import cells
from sop_engine.language.report import did_you_mean
from sop_engine.store import audit, levels, people, tags
from sop_engine.store.levels import Moved
from sop_engine.store.scope import Scope

NONE = ("unknown", "unscored", "none")


@dataclass(frozen=True, slots=True)
class ByHandValue:
    """What is to be set: `value` as the language writes it, `unknown` for none; `clear` takes back what was set by hand."""

    name: str
    value: str
    until: date | None = None
    author: str = ""
    clear: bool = False


def set_by_person(work: Work, key: str, wanted: ByHandValue) -> list[Moved]:
    """Set it and place the user anew; the moves. Raises NotFound for an unknown user or name, BadInput for a value that does not fit."""
    user_id = people.get_id(work.tx, key)
    project, name = work.project, wanted.name
    if name in project.tiers or name in project.metrics:
        _by_hand(work, user_id, wanted)
    elif name in project.attributes or name in project.tags:
        if wanted.until or wanted.clear:
            raise BadInput(f"'{name}' is set for good: --until and --clear are for metrics and tiers.")
        set_values(work, user_id, {name: _value(work, name, wanted.value)})
        user_id = unite_identified(work).get(user_id, user_id)
    else:
        names = [*project.attributes, *project.tags, *project.tiers, *project.metrics]
        raise NotFound(f"there is no attribute, tag, metric or tier '{name}'.{did_you_mean(name, names)}")
    done = "took back" if wanted.clear else "set by hand"
    audit.note(work.tx, wanted.author, done, {"user_id": user_id, "name": name}, work.now)
    tags.refresh_rule_tags(work.tx, project, Scope.of([user_id]), work.now)
    return place_users(work, [user_id], Cause("hand"))


def _by_hand(work: Work, user_id: int, wanted: ByHandValue) -> None:
    if wanted.until is not None and wanted.until.toordinal() < work.day:
        raise BadInput(f"--until {wanted.until} is over already.")
    if wanted.clear:
        taken_back = levels.ByHand(wanted.name, None, wanted.author, work.day - 1)
        levels.set_by_hand(work.tx, user_id, taken_back, work.now)
        return
    value = _value(work, wanted.name, wanted.value)
    until = wanted.until.toordinal() if wanted.until else None
    text = None if value is None else text_of_value(value)
    levels.set_by_hand(work.tx, user_id, levels.ByHand(wanted.name, text, wanted.author, until), work.now)


def _value(work: Work, name: str, text: str) -> Value | None:
    """The text as a value of its type; None for `unknown`. Raises BadInput."""
    if text in NONE:
        return None
    kind, words = _type_of(work, name)
    try:
        value: Value = cells.reader(kind, words, work.live.zone)(text)
    except BadInput as error:
        raise BadInput(f"{name}: '{text}' {error}.") from error
    return value


def _type_of(work: Work, name: str) -> tuple[str, tuple[str, ...]]:
    project = work.project
    if name in project.tiers:
        return "words", project.tiers[name].level_names
    if name in project.metrics:
        return project.metrics[name].kind, project.metrics[name].words
    if name in project.tags:
        return "flag", ()
    found: Mapping[str, tuple[str, tuple[str, ...]]] = {a.name: (a.type, a.words) for a in project.attributes.values()}
    return found[name]
