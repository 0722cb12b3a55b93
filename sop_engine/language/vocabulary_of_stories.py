"""The one definition of every key of a story, and of the words its lines may use."""

from sop_engine.language import forms
from sop_engine.language.keys import COUNT, RAW, TEXT, form, many, name_of
from sop_engine.language.keys import condition as cond
from sop_engine.language.reader import Key

_note = Key(TEXT, note="给人看的说明 · for people")
TEST = {
    "test": Key(TEXT),
    "playbook": Key(many(name_of("playbook"))),
    "variant": Key(RAW),
    "given": Key(RAW),
    "history": Key(RAW),
    "day_0": Key(form(forms.DAY_AND_TIME), required=True),
    "story": Key(RAW, required=True),
    "note": _note,
}
_at = Key(form(forms.STORY_TIME), required=True)
HISTORY = {"at": _at, "event": Key(name_of("event"), required=True), "with": Key(RAW), "times": Key(COUNT), "note": _note}
LINE = {
    "at": _at,
    "event": Key(name_of("event")),
    "times": Key(COUNT),
    "with": Key(RAW),
    "set": Key(RAW),
    "check": Key(cond("user")),
    "expect": Key(RAW),
    "channel": Key(name_of("channel")),
    "template": Key(name_of("template")),
    "benefit": Key(name_of("benefit")),
    "void": Key(name_of("benefit")),
    "text": Key(TEXT),
    "skip": Key(RAW),
    "because": Key(RAW),
    "end": Key(RAW),
    "note": _note,
}
LINE_KINDS = ("event", "set", "check", "expect", "skip", "end")
START_REFUSALS = ("only", "again", "rollout", "ramp", "no_anchor", "late")
SKIPS = (
    "ended", "removed", "late", "when", "excluded", "suppressed", "stale", "minor", "no_choice", "no_channel", "needs", "no_consent",
    "opted_out", "unknown", "render", "too_long", "staff_load", "limit", "stack", "budget", "empty", "holdout", "hours", "cap", "priority",
    "ceiling", "paused", "handoff", "expired", "no_relation", "no_credit", "capped", "unconfirmed",
)  # fmt: skip
