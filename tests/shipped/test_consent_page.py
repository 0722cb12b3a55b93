"""The page about consent names what there is: states of the ledger, reasons of the list, and reasons for not sending."""

import re
from pathlib import Path

from sop_engine.core.consent import STATES
from sop_engine.core.suppression import REASONS
from sop_engine.language.load import check
from sop_engine.language.rules_of import shipped
from sop_engine.language.vocabulary import RULE
from sop_engine.language.vocabulary_of_stories import SKIPS
from tests.shipped.library import files

PAGE = (Path(__file__).parents[2] / "docs" / "consent.md").read_text("utf-8")


def first_words(heading: str) -> list[tuple[str, str]]:
    """The first two cells of every row of the first table below a heading whose first cell is a word."""
    below = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `(\w+)` \| (.*) \|$", below, re.MULTILINE)


def test_the_reasons_of_the_list_are_those_of_the_page_in_the_same_words() -> None:
    assert first_words("The list of addresses") == list(REASONS.items())


def test_the_states_of_the_ledger_are_those_of_the_page() -> None:
    assert {word for word, _ in first_words("The ledger")} == set(STATES)


def test_the_shipped_rules_and_the_keys_of_a_rule_are_those_of_the_page() -> None:
    told = [word for word, _ in first_words("Rules")]
    assert told == [rule.id for rule in shipped("cn")] + [key for key in RULE if key != "note"]


def test_the_shipped_library_obeys_the_shipped_rules() -> None:
    given = dict(files())
    head = given["playbooks/00-project.yml"]
    given["playbooks/00-project.yml"] = head.replace("\ncurrency:", "\nrules: cn\ncurrency:", 1)
    assert [str(p) for p in check(given, lints=False).problems if p.severity == "error"] == []
    assert given["playbooks/00-project.yml"] != head


def test_the_reasons_in_the_order_are_reasons_of_the_language() -> None:
    order = re.findall(r"^\| .*\? \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert order == ["suppressed", "opted_out", "no_consent", "minor", "no_channel", "needs"]
    assert set(order) <= set(SKIPS)
