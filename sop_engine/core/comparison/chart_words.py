"""The words in the plots and on the page of a report, in English and Chinese."""

CHART = {
    "en": {
        "points": "difference in percentage points",
        "interval": "Differences with the intervals that decide",
        "curve": "Share of users that is back",
        "days": "days since the clock started; below: users still watched (n)",
        "window": "window, {days} days",
        "end": "planned end",
        "over_time": "difference in points as it read on each day; the band may be looked at daily",
        "path": "Difference of {v} and {c} over time, now {d} points ({band})",
        "title": "A/B comparison",
        "how_sure": "What decides: better when the whole bar is right of zero, worse when it is left of it.",
        "bayes": "P(better) is context, not a stopping rule.",
        "curves": "Who comes back, and when",
        "paths": "Day by day",
        "about": "Audit",
        "funnel_note": "Delivered, woke (any activity within 7 days of delivery) and won back (within 14 days of it) describe those "
        "who were delivered; they are never an effect. Beside them stands the hold-out's rate.",
        "not_sent": "Not sent, because",
        "cross": "Cross table",
    },
    "zh": {
        "points": "差别（百分点）",
        "interval": "差别与决定结论的区间",
        "curve": "回来的用户比例",
        "days": "计时开始后的天数；下方：仍在观察的人数（n）",
        "window": "窗口 {days} 天",
        "end": "计划的结束",
        "over_time": "每一天当时看到的差别（百分点）；这个区间可以天天看",
        "path": "{v} 与 {c} 的差别随时间变化，目前 {d} 个百分点（{band}）",
        "title": "A/B 对比",
        "how_sure": "结论由区间决定：整条在零的右边是更好，在左边是更差。",
        "bayes": "“更好的概率”只供参考，不是停止的依据。",
        "curves": "谁回来了，什么时候",
        "paths": "逐日",
        "about": "审计",
        "funnel_note": "送达、唤醒（送达后 7 天内有任何活动）、回来（送达后 14 天内）只描述送达的人，不是效果；旁边是对照组的比例。",
        "not_sent": "没发的原因",
        "cross": "交叉表",
    },
}

WITHHELD: dict[str, dict[str, str]] = {"en": {}, "zh": {"holdout": "在对照组"}}
"""Reasons for not sending that are said in words; all others are the states of docs/states.md."""
