"""The measures of retention, money, effort, referral and structure."""

from sop_engine.core.measures.values import Measure, Reference

_RETURN = (
    Reference("Q-20", "复购率 +25% 以上", "repurchase up 25 % and more"),
    Reference("Q-21", "团购复购 +32%", "group-buy repurchase up 32 %"),
)
_HOURS = (
    Reference("Q-18", "模板使效率 +30% 以上", "templates: 30 % and more efficient"),
    Reference("Q-20", "效率 +30%", "30 % more efficient"),
)
_PYRAMID = (Reference("Q-26", "目标 10/15/20/55%", "targets 10/15/20/55 %"),)

RETENTION = (
    Measure(
        "retention_d1",
        "retention",
        "rate",
        "次留",
        "Day-1 retention",
        "按登记日分组：恰在第 1 天有活跃的用户 ÷ 当天登记的用户。第 1 天未过的组留空，不记 0。",
        ("By day of registration: users active on exactly day +1 ÷ users registered that day. Blank, not 0, while that day is not over."),
        rows=("S2-19",),
    ),
    Measure(
        "retention_d7",
        "retention",
        "rate",
        "7 日留存",
        "Day-7 retention",
        "按登记日分组：恰在第 7 天有活跃的用户 ÷ 当天登记的用户。第 7 天未过的组留空，不记 0。",
        ("By day of registration: users active on exactly day +7 ÷ users registered that day. Blank, not 0, while that day is not over."),
        rows=("S2-19",),
    ),
    Measure(
        "diamond_next_year",
        "retention",
        "rate",
        "钻石会员次年复购率",
        "Next-year repurchase of diamond members",
        "窗口末日的 365 天前带标签 钻石会员 的用户中，之后 365 天内下单的占比。不看 --from。",
        (
            "Users with an order in the 365 days up to the end of the window ÷ users who had the tag 钻石会员 just "
            "before. --from is not used."
        ),
        (Reference("Q-04", "78%", "78 %"),),
    ),
    Measure(
        "fresh_vip_repurchase",
        "retention",
        "change",
        "生鲜尊享复购率：对上一窗口",
        "Repurchase of fresh-food VIPs, against the window before",
        "窗口开始时带标签 生鲜尊享 的用户中，窗口内再下单的占比；对上一个等长窗口，相对变化。",
        (
            "Users with an order in the window ÷ users who had the tag 生鲜尊享 at its start, against the window of "
            "the same length before it, relative."
        ),
        (Reference("Q-11", "生鲜尊享复购 +35%", "fresh VIPs repurchase 35 % more"),),
    ),
    Measure(
        "repurchase_change",
        "retention",
        "change",
        "复购率：对上一窗口",
        "Repurchase, against the window before",
        "窗口内下单 2 次以上的买家 ÷ 全部买家；对上一个等长窗口，相对变化。",
        ("Buyers with two orders and more in the window ÷ its buyers, against the window of the same length before it, relative."),
        _RETURN,
    ),
)
MONEY = (
    Measure(
        "pareto",
        "money",
        "share",
        "前 20% 买家的收入占比",
        "Revenue of the top 20 % of buyers",
        "窗口内按消费额排序，前 20% 买家（人数向上取整）的收入 ÷ 全部收入；另列贡献 80% 收入的买家占比。",
        ("Revenue of the top fifth of the window's buyers (rounded up) ÷ all revenue; beside it the share of buyers who give 80 % of it."),
        (Reference("Q-02", "20% 用户贡献 80% 收入", "80 % of revenue from 20 % of users"),),
        ("S1-05",),
    ),
    Measure(
        "diamond_share",
        "money",
        "rate",
        "钻石会员占比",
        "Share of diamond members",
        "窗口末日带标签 钻石会员 的用户 ÷ 当时的全部用户。",
        "Users who have the tag 钻石会员 at the end of the window ÷ all users then.",
        (Reference("Q-03", "12%", "12 %"),),
    ),
    Measure(
        "diamond_revenue",
        "money",
        "times",
        "钻石会员人均收入：对普通买家",
        "Revenue a head of diamond members against other buyers",
        "窗口内有订单者的人均收入：窗口末日带标签 钻石会员 的是其他买家的几倍。",
        "Revenue for each buyer of the window: those with the tag 钻石会员 at its end, as times that of the others.",
        (Reference("Q-05", "钻石会员人均是普通的 5.3 倍", "5.3 times the revenue of an ordinary user"),),
    ),
    Measure(
        "active_layer_aov",
        "money",
        "change",
        "活跃层客单价：进入后 30 天对前 30 天",
        "Order value of the active layer, 30 days after entering against before",
        "窗口内进入 三层 = 活跃层 的用户：进入当日起 30 天的收入 ÷ 订单，对之前 30 天，相对变化。进入未满 30 天的不计。",
        (
            "Users who entered 三层 = 活跃层 in the window: revenue ÷ orders in 30 days from that day, against the "
            "30 days before, relative. "
            "Those younger than 30 days are left out."
        ),
        (Reference("Q-07", "活跃层客单价 +40%", "order value of the active layer up 40 %"),),
    ),
)
EFFORT = (
    Measure(
        "cost_share",
        "effort",
        "share",
        "投入占比（按层级）",
        "Share of costs, by level",
        "窗口内各主层级的投入（福利成本 + 发送与任务成本）÷ 全部投入；另列任务分钟。层级取发送时的。",
        (
            "Costs (benefits given, messages and tasks at the price of their channel) of each level when it was sent "
            "÷ all costs; beside it minutes of tasks."
        ),
        rows=("S0-01",),
    ),
    Measure(
        "cost_per_head",
        "effort",
        "money",
        "人均投入（按层级）",
        "Costs a head, by level",
        "窗口内各主层级的投入 ÷ 窗口末日该层级的用户数。",
        "Costs of each level, as above, ÷ users in it at the end of the window.",
        rows=("S0-01",),
    ),
    Measure(
        "cost_plan",
        "effort",
        "points",
        "预算占比：实际减计划",
        "Share of benefits, actual less planned",
        "窗口内各主层级的福利成本占比减计划占比，百分点。计划由 --plan 层级=占比 给出，可多次。",
        (
            "Share of the cost of benefits of each level less the planned share, in points. The plan is given by --plan "
            "LEVEL=SHARE, repeated."
        ),
        (Reference("S2-02", "80% 资源给 20% 高价值用户", "80 % of resources to the 20 % high-value users"),),
        ("S1-47",),
    ),
    Measure(
        "under_rewarded",
        "effort",
        "times",
        "最高层级人均福利：对其他层级",
        "Benefits a head of the top level against the others",
        "窗口内主层级最高一级的福利成本 ÷ 人数，是其他层级人均的几倍；低于 1 即为回报不足。",
        (
            "Cost of benefits ÷ users of the best level of the primary tier, as times that of all its other levels; "
            "below 1 it is under-rewarded."
        ),
        rows=("S2-68",),
    ),
    Measure(
        "tasks_per_hour",
        "effort",
        "change",
        "每人时完成任务：对上一窗口",
        "Tasks for each staff hour, against the window before",
        "窗口内完成的任务 ÷ 人时（某同事至少完成一项的钟点数）；对上一个等长窗口，相对变化。",
        (
            "Tasks done ÷ staff hours (clock hours in which a colleague finished at least one), against the window "
            "of the same length before it, relative."
        ),
        _HOURS,
    ),
    Measure(
        "cost_per_order",
        "effort",
        "change",
        "单均成本：对上一窗口",
        "Cost for each order, against the window before",
        "窗口内投入 ÷ 订单数；对上一个等长窗口，相对变化。",
        "Costs ÷ orders of the window, against the window of the same length before it, relative.",
        (Reference("Q-21", "团购成本 −18%", "group-buy cost down 18 %"),),
    ),
    Measure(
        "cost_per_conversion",
        "effort",
        "money",
        "单次转化成本（按流程）",
        "Cost of a conversion, by flow",
        "窗口内流程的投入 ÷ 送达后达成目标的运行数。比较 KOL 流程与投放：投放费用不在本系统内。",
        ("Costs of a flow ÷ its runs whose goal came after a delivery. For a KOL flow against others; what ads cost is not known here."),
        (Reference("Q-25", "一条 KOL 故事可能胜过数千元广告", "one KOL story may beat an ad of several thousand yuan"),),
    ),
    Measure(
        "growth_cost",
        "effort",
        "context",
        "小程序日活增长成本",
        "What growth of a mini-program's daily users costs",
        "行业背景，不由店铺数据计算。",
        "A figure of the trade, for context: no shop's own data can tell it.",
        (Reference("Q-19", "2025 年日活增长成本 +37%", "cost of growth up 37 % in 2025"),),
    ),
)
REFERRAL = (
    Measure(
        "k_factor",
        "referral",
        "number",
        "K 值",
        "K factor",
        "人均邀请 × 邀请转化率 = 归因登记 ÷ 窗口末日用户数。不计自邀与重复邀请。",
        (
            "Invites a user × share of invites that join = credited sign-ups ÷ users at the end of the window. Oneself "
            "and repeats do not count."
        ),
        (Reference("Q-24", "K > 1", "K > 1"),),
        ("S2-21",),
    ),
)
STRUCTURE = (
    Measure(
        "unused_share",
        "structure",
        "share",
        "无人使用的维度",
        "Dimensions nobody uses",
        "没有任何规则、流程、模板或报表读取的属性与标签 ÷ 全部属性与标签；另列名称。只看生效的项目，不看窗口。",
        (
            "Attributes and tags that no rule, flow, template or report reads ÷ all of them, with their names. Of "
            "the live project; the window is not used."
        ),
        (Reference("Q-10", "12 个维度、整理 2 个月、80% 未用", "12 dimensions, 2 months, 80 % never used"),),
        ("S1-16",),
    ),
    Measure(
        "pyramid",
        "structure",
        "points",
        "社区金字塔：实际减目标",
        "Community pyramid, actual less target",
        "窗口末日 社区金字塔 各层级占比减目标占比，百分点。",
        "Share of each level of 社区金字塔 at the end of the window less its target, in points.",
        _PYRAMID,
    ),
    Measure(
        "contribution_pyramid",
        "structure",
        "points",
        "贡献金字塔：实际减目标",
        "Pyramid by contribution, actual less target",
        "窗口末日 贡献金字塔 各层级占比减目标占比，百分点。",
        "Share of each level of 贡献金字塔 at the end of the window less its target, in points.",
        _PYRAMID,
    ),
)
