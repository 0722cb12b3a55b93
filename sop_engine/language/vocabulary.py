"""The one definition of every key: what it holds, whether it is required, and its hover text."""

from sop_engine.language import forms
from sop_engine.language.keys import (
    BUDGET,
    COUNT,
    DAYS,
    DUE,
    FLAG,
    HOURS,
    LENGTH,
    LIMIT,
    MONEY,
    RAW,
    SCHEDULE,
    SHARE,
    TEXT,
    form,
    many,
    name_of,
    one_of,
)
from sop_engine.language.keys import condition as cond
from sop_engine.language.reader import Key

DOCUMENTS = ("project", "tier", "playbook", "blueprint", "test", "template")
COLLECTIONS = (
    "attributes", "identities", "events", "metrics", "tags", "goals", "calendars", "channels", "benefits", "rules", "alerts", "reports",
    "ingest",
)  # fmt: skip
SHIPPED_RULES = ("cn",)
TYPES = ("text", "number", "flag", "date", "phone", "email")
BENEFIT_KINDS = ("generated", "uploaded", "shared", "entitlement", "external")
FIELD_TYPES = ("text", "number", "flag", "date")

_note = Key(TEXT, note="给人看的说明 · for people")

PROJECT = {
    "project": Key(TEXT, note="项目名 · name of the project"),
    "timezone": Key(RAW, required=True, note="时区，日期按它划分 · zone of days"),
    "locale": Key(TEXT, note="默认语言 · default language of templates"),
    "currency": Key(TEXT, note="货币 · for money"),
    "calendar": Key(name_of("calendar"), note="工作日历 · what workday means"),
    "hours": Key(HOURS, note="营销发送时段 · marketing is sent only inside"),
    "caps": Key(many(LIMIT), note="每人最多收到的营销消息 · most marketing messages one user gets"),
    "only": Key(cond("user"), note="只有这些人收营销 · nobody else gets marketing"),
    "holdout": Key(SHARE, note="全局不触达比例 · these users get no marketing at all"),
    "salt": Key(TEXT, note="抽签的盐 · the salt of every draw"),
    "purchase": Key(RAW, required=True, note="什么事件是购买，金额在哪 · the event that is a purchase and its money"),
    "activity": Key(many(name_of("event")), required=True, note="什么算活跃 · what counts as being active"),
    "primary_tier": Key(name_of("tier"), note="主分层：其 silent 层不收促销 · its silent level gets no promotions"),
    "stale_after": Key(DAYS, note="多久不活跃就不再打扰 · no promotions after so long without activity"),
    "max_levels": Key(COUNT, note="一个剧本最多管几层 · most levels a playbook may act on"),
    "on_reply": Key(RAW, note="用户回复后生成的人工任务 · the task made when a user replies"),
    "content_types": Key(many(TEXT), note="允许的内容类型 · allowed content types"),
    "never_say": Key(many(TEXT), note="用户永远不该读到的词 · words no user may read"),
    "links": Key(RAW, note="链接：是否跟踪、哪些域名 · which links are followed through us"),
    "profiles": Key(RAW, note="维度清单 · dimensions that rules may read"),
    "profile": Key(RAW, note="选用哪个维度清单 · the profile in use"),
    "country": Key(TEXT, note="项目所在国家 · where users are whose phone number does not say it"),
    "rules": Key(many(one_of(*SHIPPED_RULES)), note="启用哪套法规与平台规则 · shipped rules that are in force"),
    "minor": Key(cond("user"), note="谁是未成年人 · who is a minor"),
    "note": _note,
}
RULE_WHEN = {
    "channel": Key(TEXT, note="渠道名、sms 或适配器 · name of a channel, sms, or an adapter"),
    "country": Key(TEXT, note="国家 · CN"),
    "purpose": Key(one_of("marketing", "service", "internal"), note="用途"),
}
RULE = {
    "when": Key(RAW, note="管哪些消息 · which messages it is about"),
    "must_start_with": Key(TEXT, note="开头 · {sign} 为任意签名"),
    "must_end_with": Key(TEXT, note="结尾"),
    "subject_starts_with": Key(many(TEXT), note="标题开头 · one of these"),
    "hours": Key(HOURS, note="时段 · sent only inside"),
    "never_outside": Key(HOURS, note="任何情况下不得超出 · hours may not be moved beyond"),
    "caps": Key(many(LIMIT), note="频次上限 · marketing only"),
    "consent": Key(one_of("explicit", "implied"), note="explicit：须明示同意 · silence is a refusal"),
    "refuse_if": Key(one_of("minor"), note="未成年人不发"),
    "must_offer": Key(one_of("opt_out"), note="须能退订 · a visible way out"),
    "headers": Key(many(one_of("List-Unsubscribe", "List-Unsubscribe-Post")), note="邮件头"),
    "purposes": Key(many(one_of("marketing", "service", "internal")), note="只能承载的用途 · what the channel may carry"),
    "override": Key(TEXT, note="为何改动内置规则 · why a shipped rule is changed"),
    "off": Key(FLAG, note="停用 · not in force"),
    "note": _note,
}
LINKS = {
    "tracked": Key(FLAG, note="是否跟踪点击 · whether clicks are tracked"),
    "hosts": Key(many(TEXT), note="只跟踪这些域名 · only links to these hosts"),
    "utm_hosts": Key(many(TEXT), note="给这些域名加 UTM · hosts whose links get utm marks"),
    "fallback": Key(TEXT, note="消息已不在时去哪里 · where a link leads whose message is gone"),
    "share_as": Key(TEXT, note="落地页收到的令牌参数名 · the parameter that tells the page which link was opened"),
    "keep": Key(DAYS, note="链接有效多久 · how long links work, at least 60d"),
}
ATTRIBUTE = {"type": Key(RAW, required=True), "sensitive": Key(FLAG), "note": _note}
INGEST = {
    "event": Key(name_of("event"), required=True, note="在这里叫什么事件 · what it is called here"),
    "fields": Key(RAW, note="我们的字段: 对方的属性 · our field: their property"),
    "note": _note,
}
INGEST_IDENTIFY = {"attributes": Key(RAW, required=True, note="我们的属性: 对方的特征 · our attribute: their trait"), "note": _note}
TAG = {
    "when": Key(cond("user"), note="规则标签 · there while it holds"),
    "words": Key(many(TEXT), note="关键词，/…/ 为正则 · keywords, /…/ is a regular expression"),
    "except": Key(many(TEXT), note="出现这些词则不打 · not if one of these is in the text"),
    "in": Key(RAW, note="在哪个事件字段里找 · event.field"),
    "for": Key(DAYS, note="保留多久 · how long it stays"),
    "note": _note,
}
GOAL = {
    "event": Key(many(name_of("event")), note="发生这个事件 · the event happens"),
    "where": Key(cond("where"), note="事件要满足 · fields of the event"),
    "enter": Key(cond("run"), note="条件成立 · the condition becomes true"),
    "within": Key(LENGTH, required=True, note="触达后多久内算 · counted so soon after a touch"),
    "note": _note,
}
CALENDAR = {
    "weekend": Key(many(one_of(*forms.WEEKDAYS)), note="周末 · days of the weekend"),
    "holidays": Key(many(form(forms.HOLIDAYS)), note="法定假日 · holidays"),
    "workdays": Key(many(form(forms.HOLIDAYS)), note="调休上班日 · make-up workdays"),
    "until": Key(form(forms.DATE), note="日历到哪天为止 · known until"),
    "note": _note,
}
CHANNEL = {
    "via": Key(TEXT, required=True, note="适配器 · adapter"),
    "to": Key(name_of("attribute"), note="地址所在属性 · the attribute that holds the address"),
    "needs": Key(cond("user"), note="发送前提 · needed to send"),
    "hours": Key(HOURS, note="渠道自己的时段 · the channel's own hours"),
    "caps": Key(many(LIMIT), note="该渠道频次上限 · marketing only"),
    "cost": Key(MONEY, note="单条成本 · of one message"),
    "max_length": Key(COUNT, note="最长字数 · characters"),
    "must_contain": Key(many(TEXT), note="营销文案必含 · in every marketing text"),
    "due": Key(DUE, note="任务期限 · deadline of a task"),
    "escalate_to": Key(TEXT, note="超时升级给 · role"),
    "note": _note,
}
BENEFIT = {
    "kind": Key(one_of(*BENEFIT_KINDS), note="种类 · generated, uploaded, shared, entitlement or external"),
    "pool": Key(TEXT, note="券池 · stock of codes; not of shared ones and entitlements"),
    "code": Key(TEXT, note="公开的码 · the public code of a shared benefit"),
    "set": Key(RAW, note="权益属性，到期收回 · attributes an entitlement gives, until it ends"),
    "provider": Key(TEXT, note="发券系统的账户 · the account of an external provider"),
    "worth": Key(TEXT, note="面额或说明 · money or text"),
    "min_spend": Key(MONEY, note="门槛 · from what basket"),
    "cost": Key(MONEY, note="计入预算的成本 · counted against budgets"),
    "valid": Key(form(forms.VALID), required=True, note="有效期 · from the moment it is given"),
    "ends": Key(form(forms.DATE), note="券池到期日 · nothing of it is valid after this day"),
    "limit": Key(LIMIT, required=True, note="每人限领 · per user"),
    "budget": Key(BUDGET, required=True, note="总预算 · for everybody"),
    "if_empty": Key(RAW, note="用完时 · skip or another benefit"),
    "stack": Key(FLAG, note="可否与未用的同时持有 · beside another unused one"),
    "note": _note,
}
VERBS = (
    "count", "sum", "average", "min", "max", "distinct", "most_common", "first", "last", "streak", "days_since", "days_until",
    "years_since", "value", "highest", "lowest", "grade", "rank", "cluster", "score",
)  # fmt: skip
METRIC = {
    **{verb: Key(RAW, note="动词 · verb") for verb in VERBS},
    "where": Key(cond("where"), note="只算这样的事件 · only such events"),
    "within": Key(LENGTH, note="窗口 · window"),
    "per": Key(DAYS, note="折算为每…天 · per so many days"),
    "ratio_to": Key(one_of("previous"), note="与前一窗口之比 · compared with the window before"),
    "cuts": Key(RAW, note="切点 · rising numbers, median, quartiles or quintiles"),
    "best": Key(one_of("high", "low"), note="高为好或低为好"),
    "names": Key(many(TEXT), note="结果的名字，从差到好 · words, worst first"),
    "into": Key(form(forms.INTO), note="几个群 · 3, or 2-5"),
    "predicts": Key(RAW, note="预测什么 · an event, or no and an event"),
    "only": Key(cond("user"), note="谁参与 · who takes part"),
    "refresh": Key(one_of("monthly", "weekly", "daily"), note="何时重算 · when it is fitted again"),
    "note": _note,
}
TIER = {
    "tier": Key(RAW),
    "only": Key(cond("user"), note="谁有层级 · who has a level at all"),
    "levels": Key(RAW, required=True, note="层级: 条件 · the first that holds"),
    "ladder": Key(RAW, note="从好到差 · best to worst, or none"),
    "mark": Key(RAW, note="new 或 silent"),
    "min_stay": Key(DAYS, note="至少停留 · a move down waits"),
    "keep": Key(RAW, note="留在层里的条件 · added for those who are in it"),
    "min_window": Key(DAYS, note="窗口不得短于"),
    "note": _note,
}
FLOW = {
    "intent": Key(one_of("serve", "cultivate", "maintain", "win_back"), required=True, note="重点服务 培养 维持 挽回"),
    "owner": Key(TEXT, note="负责人"),
    "note": _note,
    "only": Key(cond("flow"), note="谁可以开始，只问一次 · asked once, at the start"),
    "goal": Key(RAW, required=True, note="目标，达成即止 · reaching it ends the run"),
    "counts": Key(many(name_of("goal")), note="另计的目标 · counted too"),
    "exit": Key(RAW, note="原因: 条件 · ends the run"),
    "keep_going": Key(many(one_of("left", "goal")), note="这些结束不算结束"),
    "again": Key(form(forms.AGAIN), note="何时可再开始"),
    "anchor": Key(RAW, note="day 0 从哪天算 · a date"),
    "late": Key(LENGTH, note="最多晚多久 · a touch may be so late"),
    "existing": Key(one_of("ignore", "enter"), note="已符合的人"),
    "existing_per_day": Key(COUNT, note="每天最多开始几人"),
    "priority": Key(one_of("low", "normal", "high", "urgent"), note="优先级"),
    "holdout": Key(SHARE, note="对照比例 · contacted by nobody"),
    "variants": Key(RAW, note="变体: 比例"),
    "experiment": Key(RAW, note="实验设计"),
    "rollout": Key(SHARE, note="灰度比例"),
    "budget": Key(BUDGET, note="本流程权益预算"),
    "approve_by": Key(TEXT, note="谁审批"),
    "no_benefit": Key(TEXT, note="不给权益的理由"),
    "steps": Key(RAW, required=True, note="步骤"),
}
NOT_SHARED = ("start", "steps", "budget", "no_benefit")
_head = {"playbook": Key(RAW), "use": Key(RAW), "with": Key(RAW)}
PLAYBOOK = {**_head, "tier": Key(RAW), "start": Key(RAW), "levels": Key(RAW), **FLOW}
LEVEL = {"none": Key(TEXT, note="不做任何事的理由"), **FLOW}
BLUEPRINT = {"blueprint": Key(RAW), "version": Key(COUNT, required=True), "inputs": Key(RAW), **PLAYBOOK}
START = {
    "enter": Key(cond("user"), note="条件变为成立 · becomes true"),
    "leave": Key(cond("user"), note="条件不再成立 · is no longer true"),
    "event": Key(many(name_of("event")), note="事件发生 · at the event"),
    "where": Key(cond("where"), note="事件要满足"),
    "every": Key(SCHEDULE, note="周期"),
    "date": Key(form(forms.INSTANT), note="一次"),
    "note": _note,
}
STEP = {
    "at": Key(form(forms.MOMENT), note="时刻 · now, day 3 10:00, goal, end"),
    "after": Key(form(forms.EXACT), note="多久之后 · 10m, 2h"),
    "every": Key(SCHEDULE, note="周期"),
    "from": Key(RAW, note="从哪一步起算 · an earlier step"),
    "when": Key(cond("run"), note="到时才问的条件"),
    "send": Key(RAW, note="模板 · template, list, or choice"),
    "give": Key(RAW, note="权益 · benefit, or choice"),
    "void": Key(name_of("benefit"), note="作废的权益"),
    "set": Key(RAW, note="属性与标签"),
    "by": Key(RAW, note="按什么选"),
    "late": Key(LENGTH, note="最多晚多久"),
    "note": _note,
}
EXPERIMENT = {
    "name": Key(TEXT, note="同名即同一实验"),
    "metric": Key(name_of("goal"), note="看哪个目标"),
    "planned_per_arm": Key(COUNT, note="最小臂的人数"),
    "mode": Key(one_of("hybrid", "fixed", "open_ended")),
    "guardrails": Key(RAW, note="护栏"),
    "revenue_cap": Key(MONEY, note="单人收入封顶"),
    "winner": Key(one_of("ignore", "propose", "switch")),
    "note": _note,
}
GUARDRAILS = ("unsubscribe", "complaint", "refund", "messages")
INPUT_TYPES = ("number", "text", "condition", "moment", "template", "benefit", "event", "level")
INPUT = {"type": Key(one_of(*INPUT_TYPES), required=True), "default": Key(RAW), "note": _note}
WATCHES = (
    "leave_rate", "enter_rate", "share", "goal_rate", "open_rate", "click_rate", "block_rate", "fail_rate", "unscored_share", "k_factor",
    "budget_used", "stock_left", "overdue_tasks",
)  # fmt: skip
ALERT = {
    "watch": Key(one_of(*WATCHES), required=True),
    "of": Key(RAW, note="层级、分层、流程、渠道或权益"),
    "per": Key(DAYS),
    "above": Key(RAW),
    "below": Key(RAW),
    "send": Key(name_of("template"), required=True),
    "note": _note,
}
SHOWS = (
    "shares", "moves", "lists", "churn", "funnel", "cross", "experiment", "cost", "coverage", "retention", "pareto", "health", "ring",
    "tasks", "unused", "benchmarks",
)  # fmt: skip
CUTS_BY = ("level", "playbook", "step", "content_type", "channel", "benefit", "variant", "choice", "template")
REPORT = {
    "show": Key(many(one_of(*SHOWS)), required=True),
    "of": Key(RAW, note="分层、流程等"),
    "by": Key(many(one_of(*CUTS_BY))),
    "every": Key(SCHEDULE),
    "send": Key(name_of("template")),
    "format": Key(many(one_of("html", "csv", "md", "json"))),
    "note": _note,
}
ENDS = ("goal", "left", "finished", "undone", "opted_out", "stopped", "merged", "erased")
