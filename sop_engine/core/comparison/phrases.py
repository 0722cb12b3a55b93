"""The words of a comparison in English and Chinese: sentences, reasons, warnings; and how rates and points are written."""

WORDS = {
    "en": {
        "do_not_trust": "do not trust",
        "too_early": "too early",
        "better": "better",
        "worse": "worse",
        "no_clear_difference": "no clear difference",
        "no_clear_difference_yet": "no clear difference yet",
    },
    "zh": {
        "do_not_trust": "结果不可信",
        "too_early": "数据还不够",
        "better": "更好",
        "worse": "更差",
        "no_clear_difference": "看不出差别",
        "no_clear_difference_yet": "暂时看不出差别",
    },
}

SENTENCES = {
    "en": {
        "better": 'Of the users chosen for "{v}", {r1} came back; of the {c}, {r0}. That is {d} points more ({low} to {high}): '
        "about {k} more users per 1,000.",
        "worse": 'With "{v}" fewer came back ({r1}) than in the {c} ({r0}): {d} points ({low} to {high}). Consider stopping it.',
        "no_difference_yet": "No clear difference yet: {r1} against {r0}; the true difference probably lies between {low} and {high} "
        "points. {rest}Look as often as you like.",
        "left_days": "{left} more users are planned, about {days} days. ",
        "left": "{left} more users are planned. ",
        "no_difference": "No clear difference. If there is one, it is probably within {low} to {high} points.",
        "too_early": "Too early: {reason}. So far {x1} of {n1} and {x0} of {n0}; not a result.",
        "sample_ratio": "Do not use this result: the arms should hold {e} users but hold {o}. Something is lost or added in one arm; "
        "find it first.",
        "holdout_was_sent": "Do not use this result: {n} hold-out users received a message.",
        "two_arms": "Do not use this result: {n} users were recorded in two arms.",
        "no_holdout": "No hold-out: nobody can say how many would have come back on their own. In the past {nat} of such users did "
        "within {W} days.",
        "no_holdout_alone": "No hold-out: nobody can say how many would have come back on their own.",
        "variants": '"{a}" brings back more than "{b}": {d} points ({low} to {high}).',
        "borderline": "A close call: another usual test says otherwise.",
        "hold_out": "hold-out (sent nothing)",
        "other_control": 'control "{name}"',
    },
    "zh": {
        "better": "「{v}」组有 {r1} 的用户回来，{c}有 {r0}。多带回 {d} 个百分点（{low} 到 {high}），约每 1000 人多回来 {k} 人。",
        "worse": "「{v}」组回来的（{r1}）反而比{c}（{r0}）少：{d} 个百分点（{low} 到 {high}）。建议停用。",
        "no_difference_yet": "暂时看不出差别：{r1} 对 {r0}，真实差距大约在 {low} 到 {high} 个百分点之间。{rest}可以天天看，不会因此看错。",
        "left_days": "还差 {left} 人，约 {days} 天。",
        "left": "还差 {left} 人。",
        "no_difference": "看不出差别。即使有，也大约在 {low} 到 {high} 个百分点之内。",
        "too_early": "数据还不够：{reason}。目前 {n1} 人中 {x1} 人、{n0} 人中 {x0} 人回来，还不能算结果。",
        "sample_ratio": "结果不可信：各组应为 {e} 人，实际 {o} 人。某一组丢了或多了用户，请先查明原因。",
        "holdout_was_sent": "结果不可信：对照组有 {n} 人收到了消息。",
        "two_arms": "结果不可信：有 {n} 人被记录在两个组里。",
        "no_holdout": "没有对照组，无法知道不发消息会有多少人回来。以往同类用户 {W} 天内自己回来的有 {nat}。",
        "no_holdout_alone": "没有对照组，无法知道不发消息会有多少人回来。",
        "variants": "「{a}」比「{b}」多带回 {d} 个百分点（{low} 到 {high}）。",
        "borderline": "结果在边缘：换一种常用检验，结论会不同。",
        "hold_out": "不发消息的对照组",
        "other_control": "对照「{name}」",
    },
}

REASONS = {
    "en": {
        "no_users": "an arm has no users",
        "under_30": "an arm has fewer than 30 users whose {W} days are over",
        "under_a_week": "less than a week since the first user",
        "no_mature_users": "no user's {W} days are over yet",
        "not_ended": "this test is read once, on {date}",
    },
    "zh": {
        "no_users": "有一组没有用户",
        "under_30": "有一组满 {W} 天的用户不足 30 人",
        "under_a_week": "距首位用户入组不满一周",
        "no_mature_users": "还没有用户满 {W} 天",
        "not_ended": "本次只在 {date} 看一次结果",
    },
}


def rate(value: float, digits: int = 1) -> str:
    """A rate in per cent."""
    return f"{100 * value:.{digits}f}%"


def points(value: float, digits: int) -> str:
    """A difference of rates in points; never minus zero."""
    text = f"{100 * value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def word(lang: str, verdict: str, *, final: bool) -> str:
    """The word of a verdict; "yet" until the end."""
    return WORDS[lang]["no_clear_difference_yet" if verdict == "no_clear_difference" and not final else verdict]
