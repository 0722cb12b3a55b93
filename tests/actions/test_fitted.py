"""What was learnt is told: which numbers tell a cluster apart, how far it moved, and how good a chance is on days it had not seen."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.doctor import Surroundings, examine
from sop_engine.actions.fitted import centres_of, chance_tested, fitted
from sop_engine.actions.refresh import refresh_due
from sop_engine.actions.watching import watch
from sop_engine.actions.why import why_level
from sop_engine.core.errors import BadInput
from sop_engine.core.metrics import Fit, Metric
from sop_engine.store.facts import read_facts
from sop_engine.store.fits import save_fit
from sop_engine.store.scope import Scope
from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE

LEARNT = """
---
metrics:
  halves: {grade: orders, cuts: median}
  leaving: {score: [orders, quiet], predicts: no order, within: 10d}
"""


def test_a_cluster_is_told_by_the_numbers_half_a_deviation_from_the_mean_the_farthest_first() -> None:
    metric = Metric("groups", "cluster", "number", of=("a", "b", "c"))
    fit = Fit("groups", centres=((0.5, -2.0, 0.1), (0.2, 0.1, 0.0)), numbers=(1, 2), means=(10, 20, 30), scales=(1, 2, 3), people=9)
    first, second = centres_of(metric, fit, None)
    assert (first.number, first.told_by, first.moved) == (1, (("b", -2.0), ("a", 0.5)), None)
    assert second.told_by == ()


def test_a_cluster_says_how_far_it_moved_and_one_that_is_new_does_not() -> None:
    metric = Metric("groups", "cluster", "number", of=("a",))
    before = Fit("groups", centres=((1.0,),), numbers=(1,), means=(10.0,), scales=(2.0,), people=9)
    fit = Fit("groups", centres=((0.0,), (3.0,)), numbers=(1, 3), means=(14.0,), scales=(4.0,), people=9)
    assert [one.moved for one in centres_of(metric, fit, before)] == [0.5, None]  # from 12 to 14, in deviations of 4


LEVELS = """
tier: leaving_soon
note: x
levels: {high: leaving >= 50%, low: leaving < 50%}
"""


def history(shop: Shop) -> None:
    """A hundred users of whom one number alone tells those who come back from those who do not."""
    users = list(keys(100))
    bought = [(key, day) for key in users[:50] for day in ("02-20", "03-02", "03-12", "03-22")] + [(key, "03-02") for key in users[50:]]
    shop.history(*[(k, "order", f"2025-{d} 12:00", {"order_id": f"{k}-{d}", "amount": 5}) for k, d in bought])


def begin(engine: Engine) -> Shop:
    shop = Shop(engine, start="2025-03-26 12:00")
    shop.apply(LEVELS, catalogue=CATALOGUE + LEARNT)
    history(shop)
    return shop


def _orders(day: str, *users: str) -> list[tuple[str, str, str, dict[str, object]]]:
    return [(k, "order", f"{day} 12:00", {"order_id": f"{k}-{day}", "amount": 5}) for k in users]


def good_fit(shop: Shop, days_ago: int) -> None:
    """A chance of 90 % for everybody, as a refresh that found it better would have stored it."""
    with shop.app.work(shop.now) as work:
        metric = work.project.metrics["leaving"]
        fit = Fit("leaving", means=(0, 0), scales=(1, 1), coefficients=(0, 0), intercept=2.2, people=100, verdict="better")
        save_fit(work.tx, metric, fit, shop.now - timedelta(days=days_ago))


def chance(shop: Shop) -> float | None:
    with shop.app.work(shop.now) as work:
        found = read_facts(work.tx, work.project, ["leaving"], Scope.everybody(), shop.now)
    values = {None if one["leaving"] is None else round(float(str(one["leaving"])), 1) for one in found.values()}
    assert len(values) == 1
    return values.pop()


def doctor(shop: Shop) -> dict[str, tuple[str, str]]:
    found = examine(shop.app, shop.now, Surroundings({}, None, lambda: datetime.now(UTC)))
    return {one.name: (one.grade, one.says) for one in found if one.name.startswith("fit")}


def test_a_chance_no_better_than_the_best_number_alone_is_refused_and_everybody_who_asks_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[str, object, object]] = []
    monkeypatch.setattr("sop_engine.actions.refresh.tell", lambda event, **ids: lines.append((event, ids["metric"], ids["level"])))
    shop = begin(engine)
    lines.clear()
    refresh_due(shop.app, shop.now, force=True)
    assert chance(shop) is None
    assert lines == [("chance_refused", "leaving", "warning")]
    grade, says = doctor(shop)["fit leaving"]
    assert grade == "warning"
    assert "the fit of 2025-03-26 is no better than the plain rule on days it had not seen (AUC 1.000; by 'orders' alone 1.000)" in says
    with shop.app.work(shop.now) as work:
        listed = {one.metric: one for one in fitted(work)}
        told = why_level(work, "u1", work.project.tiers["leaving_soon"])
    assert (listed["leaving"].in_use, listed["leaving"].verdict, listed["leaving"].trouble) == (False, "not_better", says)
    assert (listed["halves"].in_use, listed["halves"].verdict, listed["halves"].trouble) == (True, "", "")
    assert (told.level, [(one.metric, one.why, one.says) for one in told.frozen]) == (None, [("leaving", "refused", says)])
    signs = watch(shop.app, shop.now)
    assert signs is not None
    assert signs.fits_unused == {"leaving": "refused"}


def test_a_refused_chance_leaves_the_good_one_before_it_in_use_until_that_has_expired(engine: Engine) -> None:
    shop = begin(engine)
    good_fit(shop, days_ago=20)
    refresh_due(shop.app, shop.now, force=True)
    assert chance(shop) == 0.9
    assert "the fit of 2025-03-06 is used instead, until 2025-04-10 at the latest" in doctor(shop)["fit leaving"][1]
    signs = watch(shop.app, shop.now)
    assert signs is not None
    assert signs.fits_unused == {"leaving": "kept"}
    shop.now += timedelta(days=15)  # the 35th day of the good one
    assert chance(shop) == 0.9
    shop.now += timedelta(days=1)
    assert chance(shop) is None
    assert "it is unknown" in doctor(shop)["fit leaving"][1]


def test_a_chance_that_could_not_be_tested_is_used_and_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr("sop_engine.actions.refresh.tell", lambda event, **_: lines.append(event))
    shop = Shop(engine, start="2025-03-26 12:00")
    shop.apply(LEVELS, catalogue=CATALOGUE + LEARNT)
    lines.clear()
    some = list(keys(30))
    shop.history(*_orders("2025-03-02", *some), *_orders("2025-03-05", *some[5:20]), *_orders("2025-03-20", *some[:15]))
    refresh_due(shop.app, shop.now, force=True)
    with shop.app.work(shop.now) as work:
        listed = {one.metric: one for one in fitted(work)}
    assert (listed["leaving"].in_use, listed["leaving"].verdict) == (True, "too_few")
    assert lines == ["chance_not_tested"]


def test_a_chance_learnt_where_one_outcome_was_never_seen_is_refused_for_it_is_the_same_for_everybody(engine: Engine) -> None:
    shop = Shop(engine, start="2025-03-26 12:00")
    shop.apply(LEVELS, catalogue=CATALOGUE + LEARNT)
    shop.history(*_orders("2025-03-02", *keys(30)))
    refresh_due(shop.app, shop.now, force=True)
    assert chance(shop) is None
    assert doctor(shop)["fit leaving"][1].startswith("the fit of 2025-03-26 gives everybody the same chance: it is unknown")


def test_a_fit_older_than_its_period_and_five_days_is_told_by_the_doctor_and_the_metrics(engine: Engine) -> None:
    shop = begin(engine)
    good_fit(shop, days_ago=-1)  # the latest fit of all
    shop.now += timedelta(days=36)
    with shop.app.work(shop.now) as work:
        assert {one.metric: one.in_use for one in fitted(work)}["leaving"]
    shop.now += timedelta(days=1)
    assert doctor(shop)["fit leaving"] == (
        "warning",
        "the fit of 2025-03-27 was valid until 2025-05-01: levels stay as they are, and their sends wait",
    )
    signs = watch(shop.app, shop.now)
    assert signs is not None
    assert signs.fits_unused["leaving"] == "expired"


def test_a_shop_whose_fits_are_all_valid_has_nothing_to_be_told(engine: Engine) -> None:
    shop = begin(engine)
    good_fit(shop, days_ago=-1)
    assert doctor(shop) == {"fits": ("good", "every number that is fitted to everybody is valid")}
    signs = watch(shop.app, shop.now)
    assert signs is not None
    assert signs.fits_unused == {}


def test_all_that_was_learnt_is_listed_and_a_chance_is_tested_on_later_days_than_it_was_learnt_from(engine: Engine) -> None:
    shop = Shop(engine, start="2025-03-26 12:00")
    shop.apply("tier: some\nnote: x\nlevels: {all: orders >= 0, other: otherwise}\n", catalogue=CATALOGUE + LEARNT)
    history(shop)
    refresh_due(shop.app, shop.now, force=True)
    with shop.app.work(shop.now) as work:
        listed = {one.metric: one for one in fitted(work)}
        assert (listed["halves"].verb, listed["halves"].in_use, listed["halves"].people) == ("grade", True, 100)
        tested = chance_tested(work, "leaving")
        with pytest.raises(BadInput, match="'halves' is a grade"):
            chance_tested(work, "halves")
        with pytest.raises(BadInput, match="'orders' is not fitted"):
            fitted(work, ["orders"])
    assert (tested.tested_on, tested.came_true, tested.auc) == (100, 0.5, 1.0)
    assert tested.verdict == "not_better"  # one number alone tells them apart as well
