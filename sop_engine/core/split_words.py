"""Says in English and Chinese what the test of a split found."""

from collections.abc import Mapping

from sop_engine.core.stats.splits import Tested

HEADS: Mapping[str, Mapping[str, str]] = {
    "en": {"group": "group", "users": "users", "yes": "yes", "rate": "rate", "mean": "mean", "median": "median", "few": "few users"},
    "zh": {"group": "分组", "users": "人数", "yes": "符合", "rate": "比例", "mean": "平均", "median": "中位数", "few": "人数太少"},
}
TESTS = {
    "chi_square": ("χ²", "Cramér's V"),
    "mann_whitney": ("Mann-Whitney χ²", "|r|"),
    "kruskal_wallis": ("Kruskal-Wallis H", "ε²"),
}
_SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "{outcome} by {dimension}, within {within}",
        "figures": "{name} = {statistic:.{digits}f}, df = {freedom}, {p}; effect {effect_name} = {effect:.2f}; {points:.1f} points from "
        "{lowest} to {highest}",
        "needed": "Needed: the groups differ by more than chance, {points:.1f} points between {lowest} and {highest}. "
        "Treat them differently.",
        "not_needed": "Not needed: {why}. One way for all of them is enough.",
        "chance": "chance alone explains the difference ({p})",
        "small": "the difference is sure, but below 5 points",
        "insufficient": "Insufficient: too few users to tell (every cell needs at least 5 expected users). Wait, or join groups.",
        "unknown": "{unknown:,} users whose {dimension} is unknown are left out.",
        "few": "Left out for being too small: {few}.",
    },
    "zh": {
        "title": "按{dimension}看{outcome}，范围：{within}",
        "figures": "{name} = {statistic:.{digits}f}，自由度 {freedom}，{p}；效应量 {effect_name} = {effect:.2f}；"
        "「{lowest}」到「{highest}」相差 {points:.1f} 个百分点",
        "needed": "需要：各组的差别不是偶然，「{lowest}」与「{highest}」相差 {points:.1f} 个百分点，值得区别对待。",
        "not_needed": "不需要：{why}，用同一种做法就够了。",
        "chance": "差别可能只是偶然（{p}）",
        "small": "差别确实存在，但不到 5 个百分点",
        "insufficient": "数据不够：人数太少，看不出来（每格期望人数至少 5）。再等等，或合并分组。",
        "unknown": "{unknown:,} 位用户的{dimension}未知，不计入。",
        "few": "人数太少、不计入：{few}。",
    },
}


def p_said(p: float) -> str:
    """A p-value as it is read: two digits, three when it is small."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.05 else f"p = {p:.2f}"


def sentences(tested: Tested, asked: Mapping[str, object], lang: str) -> tuple[str, list[str]]:
    """The title, and the lines below the table: figures, verdict, and who was left out. `asked`: dimension, outcome, within, unknown."""
    words, values = _SAID[lang], dict(asked)
    lines = list[str]()
    if tested.p is not None and tested.statistic is not None:
        name, effect_name = TESTS[tested.test]
        values |= {
            "name": name, "effect_name": effect_name, "statistic": tested.statistic, "digits": 1 if tested.statistic >= 1 else 2,
            "freedom": tested.freedom, "p": p_said(tested.p), "effect": tested.effect, "points": tested.points,
            "highest": tested.highest, "lowest": tested.lowest,
        }  # fmt: skip
        lines.append(words["figures"].format_map(values))
        values["why"] = words["small" if tested.p < 0.05 else "chance"].format_map(values)
    lines.append(words[tested.verdict].format_map(values))
    if tested.few:
        lines.append(words["few"].format(few=", ".join(f"{g.name} ({g.users:,})" for g in tested.few)))
    if asked["unknown"]:
        lines.append(words["unknown"].format_map(values))
    return words["title"].format_map(values), lines
