"""Every published or independently computed answer in stats-vectors.json is reproduced, or is listed here with why it does not apply."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sop_engine.core.conditions import Value
from sop_engine.core.experiment import bucket
from sop_engine.core.stats import belief, bounds, curve, intervals, money, p_values, power, shares, strata
from tests.core.stats.verdict_vectors import arm_of, verdict_of

FILE = json.loads((Path(__file__).parents[2] / "golden" / "stats-vectors.json").read_text("utf-8"))
VECTORS = FILE["vectors"]

NOT_BUILT = {
    "bayes_probability_best": "probability of being the best of several arms: the report compares pairs",
    "cuped": "lapsed users have no recent activity to adjust by",
    "group_sequential_boundary": "the mode group_sequential is for later",
    "group_sequential_repeated_ci": "the mode group_sequential is for later",
}
OTHER_METHODS = {
    "diff_ci_agresti_caffo",
    "diff_ci_miettinen_nurminen",
    "diff_ci_mee",
    "diff_ci_wald",
    "rate_ci_clopper_pearson",
    "relative_lift_ci_katz_log",
    "relative_lift_ci_koopman_score",
    "revenue_welch",
    "dunnett_two_sided_z",
    "gbstats_two_sided_ttest",
    "gbstats_sequential_two_sided",
    "gbstats_bayes_effect",
    "growthbook_hash",
    "growthbook_bucket_range",
}
"""What other methods and products answer: for orientation, not ours."""

ON_DATA = {"real_ab_counts", "natural_return_rate", "dataset_summary"}
"""Counted from real data: see test_real_data.py."""

Z95 = 1.959963984540054


def counts(inputs: Any) -> tuple[int, int, int, int]:
    (x0, n0), (x1, n1) = inputs["control"], inputs["treatment"]
    return x1, n1, x0, n0


def rates(inputs: Any) -> tuple[float, int, float, int]:
    x1, n1, x0, n0 = counts(inputs)
    return x1 / n1, n1, x0 / n0, n0


def m_of(inputs: Any) -> float:
    return bounds.Bound("fixed", True, 1, None, 1).multiplier if inputs["alpha"] == 0.05 else math.nan


def always_valid(inputs: Any) -> Any:
    x1, n1, x0, n0 = counts(inputs)
    z, m = p_values.pooled_z(x1, n1, x0, n0), float(bounds.running_bound(n1 + n0, inputs["N_star"], inputs["alpha"]))
    p = bounds.always_valid_p(z or 0.0, n1 + n0, inputs["N_star"], inputs["alpha"])
    return {
        "z_pooled": z,
        "boundary": m,
        "p": p,
        "ci": intervals.newcombe(*rates(inputs), m),
        "reject": p <= inputs["alpha"],
    }


def alarm(inputs: Any) -> Any:
    e = shares.early_alarm(inputs["counts"], inputs["theta0"], k=inputs["k"])
    return {"e": e, "p": min(1.0, 1 / e)}


def ratio(inputs: Any) -> Any:
    found = shares.sample_ratio(inputs["counts"], [w * sum(inputs["counts"]) for w in inputs["weights"]])
    assert found is not None
    flags = {"flag_at_0_001": found.p < shares.RED, "flag_at_0_01": found.p < shares.AMBER}
    return {"chi2": found.chi2, "p": found.p, **flags}


def adjust(inputs: Any) -> Any:
    how = {"holm": p_values.holm, "BH": p_values.benjamini_hochberg, "bonferroni": lambda p: p_values.adjusted(p, at_end=False)}
    return how[inputs["method"]](inputs["p"])


def size(inputs: Any) -> Any:
    n = power.users_needed(inputs["p1"], inputs["p2"], 1, inputs["alpha"], inputs["power"])[0]
    return {"n_per_arm": n, "n_per_arm_ceil": math.ceil(n)}


def size_unequal(inputs: Any) -> Any:
    pair = (inputs["share_control"], inputs["share_variant"])
    asked = (inputs["p_control"], inputs["p_variant"])
    control, variant = power.users_needed(*asked, pair[1] / pair[0], inputs["alpha"], inputs["power"])
    return {
        "n_control": control,
        "n_variant": variant,
        "planned_total": power.total_needed(*asked, pair, inputs["alpha"], inputs["power"]),
    }


def believed(inputs: Any) -> Any:
    x1, n1, x0, n0 = counts(inputs)
    found, (mean, low, high) = belief.belief(x1, n1, x0, n0), belief.posterior(x1, n1)
    return {
        "p_treatment_better": found.p_better,
        "expected_loss_choose_treatment": found.loss_if_variant,
        "expected_loss_choose_control": found.loss_if_control,
        "posterior_mean_treatment": mean,
        "cred_treatment": [low, high],
    }


def strata_of(inputs: Any, control: str, treatment: str) -> list[strata.Stratum]:
    pairs = inputs.get("strata", inputs.get("tiers"))
    return [strata.Stratum(name, *s[treatment], *s[control]) for name, s in pairs.items()]


def stratified(inputs: Any) -> Any:
    listed = strata_of(inputs, "control", "treatment")
    found = strata.stratified(listed)
    assert found is not None
    low, high = found.interval(inputs["multiplier"])
    sizes = {"control": found.size0, "treatment": found.size1}
    return {"diff": found.difference, "low": low, "high": high, "n_effective": sizes, "plug_in_se": strata.plug_in_error(listed)}


def simpson(inputs: Any) -> Any:
    listed = strata_of(inputs, "holdout", "A")
    found = strata.stratified(listed)
    assert found is not None
    crude = sum(s.x1 for s in listed) / sum(s.n1 for s in listed) - sum(s.x0 for s in listed) / sum(s.n0 for s in listed)
    per_tier = {s.name: s.x1 / s.n1 - s.x0 / s.n0 for s in listed}
    return {"crude_diff": crude, "stratified_diff": found.difference, "se": strata.plug_in_error(listed), "per_tier": per_tier}


def mantel_haenszel(inputs: Any) -> Any:
    listed = [strata.Stratum("", a, a + c, b, b + d) for (a, b), (c, d) in inputs["tables"]]
    found = strata.association(listed)
    assert found is not None
    a, b, c, d = (sum(t[i][j] for t in inputs["tables"]) for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    return {
        "cmh_chi2": found.chi2,
        "p": found.p,
        "pooled_or": found.odds_ratio,
        "breslow_day_chi2": found.same_odds_chi2,
        "breslow_day_p": found.p_same_odds,
        "crude_or": a * d / (b * c),
    }


def kaplan_meier(inputs: Any) -> Any:
    points = curve.return_curve(inputs["times"], [bool(e) for e in inputs["event"]], max(inputs["at"]))
    return [1 - points[day].returned for day in inputs["at"]]


def logrank(inputs: Any) -> Any:
    found = curve.logrank_p((inputs["t1"], list(map(bool, inputs["e1"]))), (inputs["t2"], list(map(bool, inputs["e2"]))))
    assert found is not None
    return {"chi2": found[0], "p": found[1]}


def student(inputs: Any) -> Any:
    found = money.student(inputs["treatment"], inputs["control"], inputs["alpha"])
    assert found is not None
    return {"diff": found.difference, "t": found.t, "df": found.df, "p": found.p, "ci": [found.low, found.high]}


def lift(inputs: Any) -> Any:
    found = intervals.lift(*rates(inputs), m_of(inputs))
    return {"lift": found[0], "ci": list(found[1:])}


def hybrid(i: Any) -> Any:
    return bounds.Bound("hybrid", i["is_final"], i["n"], i["planned_n"], i["comparisons"]).multiplier


def drawn(i: Any) -> Value:
    return bucket(i["salt"], i["experiment"], i["user"], draw=i["draw"])


def pooled(i: Any) -> Any:
    return {"z": p_values.pooled_z(*counts(i)), "p": p_values.pooled_p(*counts(i))}


ANSWERS = {
    "rate_ci_wilson": lambda i: intervals.wilson(i["x"] / i["n"], i["n"], m_of(i)),
    "diff_ci_newcombe": lambda i: intervals.newcombe(*rates(i), m_of(i)),
    "diff_p_pooled_z": pooled,
    "diff_p_fisher": lambda i: p_values.fisher(*counts(i)),
    "diff_p_boschloo": lambda i: p_values.boschloo(*counts(i)),
    "always_valid_newcombe": always_valid,
    "normal_mixture_boundary": lambda i: float(bounds.running_bound(i["v"], i["v_opt"], i["alpha"])) * math.sqrt(i["v"]),
    "dirichlet_multinomial_eprocess": alarm,
    "srm_chisquare": ratio,
    "srm_real": ratio,
    "p_adjust": adjust,
    "sample_size_two_proportions": size,
    "power_two_proportions": lambda i: power.power_of(i["p1"], i["p2"], i["n"], i["n"], i["alpha"]),
    "bayes_beta_binomial": believed,
    "stratified_cmh": mantel_haenszel,
    "post_stratified_difference": simpson,
    "kaplan_meier": kaplan_meier,
    "logrank": logrank,
    "hybrid_boundary": hybrid,
    "relative_lift_ci_mover": lift,
    "stratified_newcombe": stratified,
    "revenue_pooled_student": student,
    "sample_size_unequal": size_unequal,
    "detectable_effect": lambda i: {"difference": power.detectable(i["p_control"], i["n_control"], i["n_variant"], i["alpha"], i["power"])},
    "assignment_draw": drawn,
    "assignment_arm": arm_of,
    "compare_verdict": verdict_of,
}


def differences(got: Any, expected: Any, tolerance: float, at: str = "") -> list[str]:
    """Where an answer is not the expected one; keys of the answer that are not asked for do not matter."""
    if isinstance(expected, dict):
        return [d for key, value in expected.items() for d in differences(got[key], value, tolerance, f"{at}.{key}")]
    if isinstance(expected, list):
        pairs = list(zip(got, expected, strict=True))
        return [d for n, (one, value) in enumerate(pairs) for d in differences(one, value, tolerance, f"{at}[{n}]")]
    same = got == expected if isinstance(expected, str | bool | None) else got is not None and abs(float(got) - expected) <= tolerance
    return [] if same else [f"{at}: {got} is not {expected}"]


def test_every_vector_is_answered_listed_as_not_built_or_another_methods_answer() -> None:
    families = Counter(v["family"] for v in VECTORS)
    assert set(families) == {*ANSWERS, *NOT_BUILT, *OTHER_METHODS, *ON_DATA, "mature_only_rate"}
    assert sum(families.values()) == FILE["meta"]["count"] == 318
    assert sum(families[f] for f in {*NOT_BUILT, *OTHER_METHODS}) == 164  # 11 not built, 153 of others; 131 are answered here, 23 by days


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["family"] in ANSWERS], ids=lambda v: v["id"])
def test_the_answer_is_the_published_one(vector: Any) -> None:
    tolerance = vector["abs_tol"] or 0.0
    got = ANSWERS[vector["family"]](vector["inputs"])
    assert differences(got, vector["expected"], tolerance) == []
