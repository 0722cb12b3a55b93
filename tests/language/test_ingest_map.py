"""The map of `ingest`: what foreign events are called here; every mistake in it is one message with its place."""

import pytest

from sop_engine.core.ingest_map import Foreign
from sop_engine.language.load import check, load
from tests.shop_project import CATALOGUE, PROJECT

HEAD = "\n".join(f"{k}: {v}" for k, v in PROJECT.items()) + f"\n---\n{CATALOGUE}\n---\n"


def files(text: str) -> dict[str, str]:
    return {"playbooks/a.yml": HEAD, "playbooks/map.yml": text}


def test_lines_are_read_by_the_foreign_name_with_our_names_on_the_left() -> None:
    project = load(
        files("ingest:\n  Order Done: {event: order, fields: {amount: total}}\n  page: visit\n  identify: {attributes: {city: town}}\n")
    )
    assert project.ingest == {
        "Order Done": Foreign("order", {"amount": "total"}),
        "page": Foreign("visit"),
        "identify": Foreign("", {"city": "town"}),
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Done: odrer", "2:9: error SOP301: there is no event called 'odrer'. Did you mean 'order'?"),
        ("Done: active", "2:9: error SOP204: 'active' is a group. Write one of its events: visit, order."),
        ("Done: {event: order, fields: {amuont: total}}", "2:33: error SOP301: there is no field called 'amuont'. Did you mean 'amount'?"),
        ("Done: {event: order, field: {a: b}}", "2:24: error SOP201: 'field' is not a key of a line of ingest. Did you mean 'fields'?"),
        ("Done: {fields: {amount: total}}", "error SOP202"),
        ("Done: {event: order, fields: [amount]}", "error SOP206"),
        ("identify: {attributes: {town: city}}", "error SOP301: there is no attribute called 'town'."),
        ("identify: order", "error SOP206"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_message_with_its_place(line: str, said: str) -> None:
    problems = [str(p) for p in check(files(f"ingest:\n  {line}\n"), lints=False).problems]
    assert len(problems) == 1
    assert said in problems[0]
