"""The small words of a report in English and Chinese: names of columns, modes, warnings."""

MODES = {
    "en": {
        "hybrid": "looked at daily, judged at a planned end",
        "open_ended": "looked at daily, without an end",
        "fixed": "looked at once",
    },
    "zh": {"hybrid": "可每天看，到计划人数时定论", "open_ended": "可每天看，不设结束", "fixed": "只看一次"},
}

WARNING_WORDS = {
    "en": {
        "no_holdout": "No hold-out: the effect of writing at all cannot be known.",
        "no_plan": "No planned size: an open-ended test costs nearly half the power. Write experiment.planned_per_arm before the start.",
        "shares_assumed": "The shares of the arms are not known; equal ones are assumed for the sample-ratio check.",
        "sample_ratio_amber": "The arms hold rather unequal numbers of users for their shares: look for users lost in one arm.",
        "tier_ratio": "In one tier the arms do not hold the users their shares say.",
        "day_ratio": "On one day the arms did not take in the users their shares say.",
        "small_holdout": "The hold-out is below 10%: the same certainty needs several times as many users as with 50%.",
        "few_returns": "Fewer than 5 returns are expected in the control.",
        "window_too_short": "The window ends before the variants first differ.",
        "allocation_changed": "Shares were changed on the way: the difference is standardised to the periods.",
        "sign_differs": "All together and tier by tier the difference points to different sides (Simpson's paradox): trust the standardised one.",
        "borderline": "A close call: another usual test says otherwise.",
        "revenue_tail": "A few large orders decide the revenue: two usual tests disagree.",
        "overran": "The planned end is over: the verdict stands as it was then, later users only go on with the curves.",
        "merged": "Users of different arms became one; they count in the arm of the older one.",
    },
    "zh": {
        "no_holdout": "没有对照组：无法知道发消息到底有没有用。",
        "no_plan": "没有计划人数：不设结束的测试会损失将近一半的检验力。请在开始前写 experiment.planned_per_arm。",
        "shares_assumed": "不知道各组的比例，样本比例检查按均分计算。",
        "sample_ratio_amber": "各组人数和比例不太相符：请查一查是否有一组丢了用户。",
        "tier_ratio": "有一个层级里各组人数和比例不符。",
        "day_ratio": "有一天各组入组人数和比例不符。",
        "small_holdout": "对照组不到 10%：要同样可靠，需要的用户是各半时的好几倍。",
        "few_returns": "对照组预计回来的不到 5 人。",
        "window_too_short": "窗口在各变体出现不同之前就结束了。",
        "allocation_changed": "中途改过比例：差别按时期标准化。",
        "sign_differs": "合起来看和分层看方向相反（辛普森悖论）：请以标准化的差别为准。",
        "borderline": "结果在边缘：换一种常用检验，结论会不同。",
        "revenue_tail": "收入由少数大单决定：两种常用检验结论不同。",
        "overran": "计划的结束已过：结论以当时为准，之后的用户只延续曲线。",
        "merged": "有不同组的用户合并为一人，按较早的那个计入。",
    },
}

LABELS = {
    "en": {
        "to": "to", "arm": "arm", "assigned": "assigned", "started": "started", "mature": "window over", "won_back": "came back",
        "rate": "rate", "limits": "95% limits", "mean": "revenue per user", "buyers": "buyers", "per_buyer": "per buyer", "sent": "sent",
        "delivered": "delivered", "woke": "woke", "hold_out": "hold-out, sent nothing", "control": "control", "comparison": "comparison",
        "difference": "difference, points", "interval": "probably between", "per_1000": "more per 1,000 users", "lift": "relative",
        "p_adjusted": "p", "p_better": "P(better)", "detectable": "can still find", "verdict": "verdict", "window": "window {days} days",
        "planned": "{mature:,} of {planned:,} planned users have their window over ({part})", "days_left": "; about {days} days to go",
        "through": "Read through {day}", "engine": "engine", "input": "input", "health": "Health", "green": "green", "amber": "amber",
        "red": "red", "sample_ratio": "sample ratio", "contamination": "Contamination: {holdout_sent} hold-out users were sent something, "
        "{two_arms} users are in two arms, {merged} became one across arms.",
        "alarm": "The arms already differ, windows still open included (e-value {e:.0f}); this is no verdict.",
        "money_waits": '"{v}": {d:+,.2f} revenue per user so far; no verdict, because {why}.',
        "why_open_ended": "money is judged at a planned end only", "why_not_ended": "the planned end is not reached",
        "why_few_buyers": "an arm has fewer than 30 buyers",
        "money": '"{v}": {k:+,.0f} revenue per 1,000 users ({low:,.0f} to {high:,.0f}){after}.',
        "margin": "; {m:+,.0f} after what messages and benefits cost", "arms": "Arms", "comparisons": "Comparisons", "tiers": "Tiers",
        "guardrails": "Guardrails", "answer": "Answer", "once": "Looked at only once? Use --mode fixed.", "tier": "tier",
        "reached": "Only those who could be reached", "same_odds": "Do tiers differ in the effect? p {p:.3f} (Breslow-Day){but}",
        "same_odds_no": "; do not say that it works for one tier only", "natural": "On their own: of {lapsed:,} users silent for {quiet} days "
        "before this began, {returned:,} ({rate}) came back within {window} days.", "guard": "guardrail", "limit": "limit",
        "state": "state", "crude": "all together", "standardised": "standardised to {by}", "name": "name",
    },
    "zh": {
        "to": "到", "arm": "组", "assigned": "入组", "started": "计时开始", "mature": "窗口已满", "won_back": "回来", "rate": "回来率",
        "limits": "95% 范围", "mean": "人均收入", "buyers": "下单人数", "per_buyer": "客均", "sent": "已发", "delivered": "送达", "woke": "唤醒",
        "hold_out": "对照组，不发消息", "control": "对照", "comparison": "比较", "difference": "差别（百分点）", "interval": "大约在",
        "per_1000": "每 1000 人多回来", "lift": "相对", "p_adjusted": "p", "p_better": "更好的概率", "detectable": "还能发现", "verdict": "结论",
        "window": "窗口 {days} 天", "planned": "计划 {planned:,} 人中 {mature:,} 人窗口已满（{part}）", "days_left": "；约还需 {days} 天",
        "through": "数据截至 {day}", "engine": "引擎", "input": "输入", "health": "健康", "green": "绿", "amber": "黄", "red": "红",
        "sample_ratio": "样本比例", "contamination": "污染：对照组有 {holdout_sent} 人收到消息，{two_arms} 人在两个组里，{merged} 人跨组合并。",
        "alarm": "各组已经有差别（含窗口未满的用户，e 值 {e:.0f}）；这不是结论。",
        "money_waits": "「{v}」：目前人均收入差 {d:+,.2f}；尚无结论，因为{why}。", "why_open_ended": "收入只在计划的结束时判断",
        "why_not_ended": "还没到计划的结束", "why_few_buyers": "有一组下单的不足 30 人",
        "money": "「{v}」：每 1000 人多 {k:+,.0f} 收入（{low:,.0f} 到 {high:,.0f}）{after}。", "margin": "；扣除消息和权益成本后 {m:+,.0f}",
        "arms": "各组", "comparisons": "比较", "tiers": "层级", "guardrails": "护栏", "answer": "结论", "once": "只看一次？请用 --mode fixed。",
        "tier": "层级", "reached": "只看能触达的人", "same_odds": "各层级效果不同吗？p {p:.3f}（Breslow-Day）{but}",
        "same_odds_no": "；不能说只对某一层有效", "natural": "自己回来的：开始之前，沉默 {quiet} 天的 {lapsed:,} 人里有 {returned:,} 人（{rate}）"
        "在 {window} 天内回来。", "guard": "护栏", "limit": "上限", "state": "状态", "crude": "合计", "standardised": "按{by}标准化", "name": "名称",
    },
}  # fmt: skip

STATES = {
    "en": {"breached": "above its limit", "kept": "kept", "unclear": "unclear", "harm": "does harm", "no_harm_seen": "no harm seen"},
    "zh": {"breached": "超过上限", "kept": "未超", "unclear": "不清楚", "harm": "有害", "no_harm_seen": "未见伤害"},
}

ADVICE = {
    "en": {
        "better": 'What to do: give "{v}" to everybody new, and keep a small hold-out, so that it stays known whether it still works.',
        "several": "What to do: several are better than the control and none is clearly the best; take the cheapest, or go on.",
        "wait": "What to do: wait. With the planned number of users this test can still find {d} points or more.",
        "end": "What to do: take the cheaper one, or test something that differs more.",
        "worse": "What to do: stop it for new users.",
        "too_early": "What to do: wait; nothing can be read from these numbers yet.",
        "do_not_trust": "What to do: find out where users were lost or messages went wrong, then start a new count.",
    },
    "zh": {
        "better": "怎么做：新用户都用「{v}」，保留一小部分对照组，才能一直知道它是否还有效。",
        "several": "怎么做：有几个都比对照好，但没有明显最好的；选成本最低的，或继续测试。",
        "wait": "怎么做：等。按计划人数，这个测试还能发现 {d} 个百分点以上的差别。",
        "end": "怎么做：选成本低的，或测试差别更大的做法。",
        "worse": "怎么做：对新用户停用。",
        "too_early": "怎么做：等；目前的数字还说明不了什么。",
        "do_not_trust": "怎么做：查清用户在哪里丢失或消息哪里出错，然后重新计数。",
    },
}
