"""Arms: the documented hash, its shares, and that editing one thing moves nobody else."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from sop_engine.core.experiment import Arm, arm_for, bucket, in_global_holdout, in_rollout, offset_in_span, salt_of
from sop_engine.core.playbook import Experiment, Flow, Start
from sop_engine.core.project import Settings

USERS = [f"u{n}" for n in range(10_000)]
HALVES = (("怀旧", Decimal("0.5")), ("直接券", Decimal("0.5")))
FLOW = Flow("沉默唤醒", "沉默唤醒", "win_back", Start("level"), (), holdout=Decimal("0.1"), variants=HALVES)


@pytest.mark.parametrize(
    ("draw", "user", "expected"),
    [
        ("holdout", "u1", 0.8138114788638536),
        ("variant", "u1", 0.7571041191054798),
        ("variant", "用户1", 0.8323996881362963),
        ("variant", "00042", 0.29814335160233585),
    ],
)
def test_a_draw_is_the_published_hash(draw: str, user: str, expected: float) -> None:
    assert float(bucket("shop", "沉默唤醒", user, draw=draw)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("holdout", "variants", "user", "expected"),
    [
        ("0.1", HALVES, "u1", Arm("直接券", held_out=False)),
        ("0.1", HALVES, "用户1", Arm("直接券", held_out=False)),
        ("0.5", (("only", Decimal(1)),), "00042", Arm(None, held_out=True)),
        ("0.1", (("A", Decimal("0.34")), ("B", Decimal("0.33")), ("C", Decimal("0.33"))), "u9", Arm(None, held_out=True)),
        ("0", (), "u1", Arm(None, held_out=False)),
    ],
)
def test_an_arm_is_the_published_one(holdout: str, variants: tuple[tuple[str, Decimal], ...], user: str, expected: Arm) -> None:
    assert arm_for(replace(FLOW, holdout=Decimal(holdout), variants=variants), user, "shop") == expected


def test_every_draw_is_at_least_0_and_less_than_1() -> None:
    drawn = [bucket("shop", "x", user, draw="variant") for user in USERS]
    assert min(drawn) >= 0
    assert max(drawn) < 1


@pytest.mark.parametrize("shares", [("0.5", "0.5"), ("0.34", "0.33", "0.33"), ("0.9", "0.1")])
def test_arms_of_10000_users_are_within_2_points_of_their_shares(shares: tuple[str, ...]) -> None:
    variants = tuple((f"V{n}", Decimal(share)) for n, share in enumerate(shares))
    arms = Counter(arm_for(replace(FLOW, variants=variants), user, "shop") for user in USERS)
    assert arms[Arm(None, held_out=True)] / len(USERS) == pytest.approx(0.1, abs=0.02)
    for name, share in variants:
        assert arms[Arm(name, held_out=False)] / len(USERS) == pytest.approx(float(share) * 0.9, abs=0.02)


def test_a_larger_hold_out_takes_users_from_all_variants_and_swaps_none() -> None:
    wider = replace(FLOW, holdout=Decimal("0.3"))
    for user in USERS[:2000]:
        before, after = arm_for(FLOW, user, "shop"), arm_for(wider, user, "shop")
        assert after.held_out or after == before


def test_nothing_about_another_flow_changes_an_arm_of_this_one() -> None:
    before = [arm_for(FLOW, user, "shop") for user in USERS[:2000]]
    other = replace(FLOW, id="其他", playbook="其他", holdout=Decimal("0.5"))
    others = [arm_for(other, user, "shop") for user in USERS[:2000]]
    assert [arm_for(FLOW, user, "shop") for user in USERS[:2000]] == before
    assert others != before


def test_two_flows_draw_independently_and_two_of_one_experiment_alike() -> None:
    other = replace(FLOW, id="其他", playbook="其他", holdout=Decimal(0))
    pairs = Counter((arm_for(replace(FLOW, holdout=Decimal(0)), u, "shop").variant, arm_for(other, u, "shop").variant) for u in USERS)
    assert all(count / len(USERS) == pytest.approx(0.25, abs=0.02) for count in pairs.values())
    named = replace(other, holdout=FLOW.holdout, experiment=Experiment(name="沉默唤醒"))
    assert all(arm_for(named, user, "shop") == arm_for(FLOW, user, "shop") for user in USERS[:1000])


def test_shares_that_miss_the_whole_by_a_rounding_leave_nobody_without_a_variant() -> None:
    thirds = tuple((name, Decimal("0.3333")) for name in "ABC")
    assert all(arm_for(replace(FLOW, holdout=Decimal(0), variants=thirds), user, "shop").variant for user in USERS)


def test_a_wider_rollout_only_adds_users() -> None:
    inside = [u for u in USERS if in_rollout(replace(FLOW, rollout=Decimal("0.2")), u, "shop")]
    assert len(inside) / len(USERS) == pytest.approx(0.2, abs=0.02)
    assert all(in_rollout(replace(FLOW, rollout=Decimal("0.5")), user, "shop") for user in inside)
    assert all(in_rollout(FLOW, user, "shop") for user in USERS)


def test_the_project_holds_out_its_share_and_salts_with_its_name_unless_it_says_otherwise() -> None:
    project = Settings("商城", "Asia/Shanghai", holdout=Decimal("0.05"))
    held = {user for user in USERS if in_global_holdout(project, user)}
    assert len(held) / len(USERS) == pytest.approx(0.05, abs=0.02)
    assert salt_of(project) == "商城"
    assert {user for user in USERS if in_global_holdout(replace(project, salt="商城"), user)} == held
    assert {user for user in USERS if in_global_holdout(replace(project, salt="x"), user)} != held
    assert not any(in_global_holdout(replace(project, holdout=Decimal(0)), user) for user in USERS)


def test_a_span_spreads_runs_evenly_over_its_minutes_and_never_reaches_its_end() -> None:
    offsets = Counter(offset_in_span("shop", f"run{n}", "唤醒", 120) for n in range(12_000))
    assert set(offsets) == set(range(120))
    assert max(offsets.values()) < 200
    assert offset_in_span("shop", "run1", "唤醒", 120) == offset_in_span("shop", "run1", "唤醒", 120)
    assert offset_in_span("shop", "run1", "唤醒", 0) == 0
