"""An answer refuses only as a whole, in any width and case; everything else is a reply."""

from datetime import UTC, datetime

import pytest

from sop_engine.core.feedback import EVENTS, PARKED, PROOF, RANKS, is_history, next_look
from sop_engine.core.records import EventRecord
from sop_engine.core.replies import OPT_OUT, is_opt_out, understood

AT = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("word", sorted(OPT_OUT))
def test_every_word_refuses_in_any_width_and_case_with_spaces_around(word: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word)
    assert all(is_opt_out(text) for text in (word, word.lower(), wide, f" {word}\n", f"\u3000{word}\t"))


@pytest.mark.parametrize("text", ["R码怎么用", "T恤", "退订吗", "不退订", "r.", "回T退订", "NO", "", "stop it", "2"])
def test_a_word_inside_an_answer_refuses_nothing(text: str) -> None:
    assert not is_opt_out(text)


@pytest.mark.parametrize(("event", "text", "meant"), [("replied", "T", "unsubscribed"), ("replied", "T?", "replied"), ("say", "T", "say")])
def test_only_a_reply_is_taken_for_a_refusal(event: str, text: str, meant: str) -> None:
    record = understood(EventRecord("m", "u", event, AT, {"text": text, "step": "hi"}))
    assert (record.event, record.fields["text"], record.fields["step"]) == (meant, text, "hi")
    assert record.fields.get("result") == ("reply" if meant == "unsubscribed" else None)


def test_a_lower_report_after_a_higher_one_is_history_and_what_has_no_rank_never_is() -> None:
    assert not is_history("delivered", {"accepted", "soft_bounced"})
    assert is_history("delivered", {"bounced"})
    assert is_history("delivered", {"delivered"})
    assert not is_history("bounced", {"delivered", "opened"})
    assert not is_history("clicked", {"bounced", "clicked"})
    assert {"delivered", "opened", "bounced", "accepted"} <= PROOF
    assert RANKS["accepted"] < RANKS["awaiting_staff"] < RANKS["delivered"] < min(RANKS[k] for k in ("bounced", "blocked", "complained"))
    assert set(EVENTS) - set(RANKS) >= {"opened", "clicked", "replied", "unsubscribed"}


def test_a_parked_report_is_looked_at_six_times_in_a_day_and_then_no_more() -> None:
    assert [next_look(wait) for wait in PARKED] == [*PARKED[1:], None]
    assert next_look(PARKED[0] / 2) == PARKED[0]
