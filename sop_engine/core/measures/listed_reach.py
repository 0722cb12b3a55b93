"""The measures of messages: opens, wake-ups, answers, and what brings conversions."""

from sop_engine.core.measures.values import Measure, Reference

REACH = (
    Measure(
        "open_rate",
        "reach",
        "rate",
        "群发打开率（按渠道）",
        "Opens of marketing messages, by channel",
        "窗口内送达的营销消息中被打开的占比。分子：打开；分母：送达。渠道不回传打开时为 0。",
        ("Opened ÷ delivered, of marketing messages delivered in the window. A channel that reports no opens shows 0."),
        (Reference("Q-01", "低于 5%", "less than 5 %"),),
    ),
    Measure(
        "open_rate_by_level",
        "reach",
        "rate",
        "打开率（按层级）",
        "Opens, by level",
        "同上，按发送时的主层级分组。",
        "The same, by level of the primary tier when it was sent.",
        (Reference("Q-01", "低于 5%", "less than 5 %"),),
    ),
    Measure(
        "click_rate",
        "reach",
        "rate",
        "点击率（按渠道）",
        "Clicks, by channel",
        "窗口内送达的营销消息中被点击的占比。分子：点击；分母：送达。",
        "Clicked ÷ delivered, of marketing messages delivered in the window.",
    ),
    Measure(
        "block_rate",
        "reach",
        "rate",
        "拉黑退订率（按渠道）",
        "Blocks and refusals, by channel",
        "窗口内收到营销消息的用户中，同窗口拉黑或退订该渠道（或全部）的占比。分子、分母：用户数。",
        ("Users who blocked or refused the channel (or everything) in the window ÷ users with a delivered message on it."),
    ),
    Measure(
        "reach_efficiency",
        "reach",
        "change",
        "触达效率：分层对不分层",
        "Reach efficiency, tiered against not",
        "每千条送达带来的转化，分层流程（属于某个层级）对其他流程的相对变化。转化：送达之后达成目标的运行；目标窗口未结束的送达不计。",
        (
            "Conversions for each 1,000 delivered, flows of a level against all others, relative. A conversion is "
            "a run whose goal came after a "
            "delivery; deliveries whose goal window is still open are left out."
        ),
        (Reference("Q-09", "分层触达效率提升 50% 以上", "tiered reach 50 % and more efficient"),),
    ),
    Measure(
        "silent_wake_up",
        "reach",
        "rate",
        "沉默层唤醒率",
        "Wake-up of the silent layer",
        ("三层 = 沉默层 的流程：送达后 7 天内有任何活跃的用户 ÷ 有送达的用户（不是计划触达的用户）。送达未满 7 天的用户不计。"),
        (
            "Flows of 三层 = 沉默层: users with any activity within 7 days after a delivery ÷ users with a delivered "
            "message (not users planned). "
            "Users whose 7 days are not over are left out."
        ),
        (Reference("Q-08", "25%", "25 %"),),
        ("X-21", "X-23"),
    ),
    Measure(
        "retail_wake_up",
        "reach",
        "rate",
        "零售流失召回的唤醒率",
        "Wake-up of the retail win-back",
        "零售流失召回 的流程：送达后 7 天内有任何活跃的用户 ÷ 有送达的用户。未满 7 天的不计。",
        (
            "Flows of 零售流失召回: users with any activity within 7 days after a delivery ÷ users with a delivered "
            "message. Younger ones are left out."
        ),
        (Reference("Q-23", "21%", "21 %"),),
    ),
    Measure(
        "wake_up",
        "reach",
        "rate",
        "唤醒率（按挽回流程）",
        "Wake-up, by win-back flow",
        "每个挽回流程：送达后 7 天内有任何活跃的用户 ÷ 有送达的用户。未满 7 天的不计。",
        (
            "Each win-back flow: users with any activity within 7 days after a delivery ÷ users with a delivered message. "
            "Younger ones are left out."
        ),
        (Reference("Q-08", "25%", "25 %"),),
        ("S2-68", "X-21"),
    ),
    Measure(
        "win_back",
        "reach",
        "rate",
        "召回率（按挽回流程）",
        "Win-back, by win-back flow",
        "每个挽回流程：送达后 14 天内下单的用户 ÷ 有送达的用户。未满 14 天的不计。",
        (
            "Each win-back flow: users with an order within 14 days after a delivery ÷ users with a delivered message. "
            "Younger ones are left out."
        ),
        rows=("X-21",),
    ),
    Measure(
        "response_by_recency",
        "reach",
        "times",
        "响应：30 天内购买者对 60 天未购者",
        "Response, buyers of 30 days against lapsed of 60",
        (
            "送达后 14 天内下单的消息 ÷ 送达的消息；发送时距上次下单 30 天以内（含）对 60 天以上（含）。有“新品”内容类型时只看新品。"
            "未满 14 天的不计。"
        ),
        (
            "Messages followed by an order within 14 days ÷ delivered messages; last order up to 30 days before against "
            "60 days and more. Only "
            "messages of content type 新品 where there is one. Messages younger than 14 days are left out."
        ),
        (Reference("Q-12", "30 天内购买者的响应是 60 天未购者的 4 倍", "buyers of 30 days respond 4 times as well"),),
    ),
    Measure(
        "canvas_lift",
        "reach",
        "times",
        "画布发券的转化倍数（对照组）",
        "Conversion of canvas coupons against the hold-out",
        (
            "每个留有对照组的流程：首次开始后，目标天数内发生目标事件的用户 ÷ 已分配的用户（含未送达的）；处理组对对照组。"
            "窗口未结束的不计。结论以 sop compare 为准。"
        ),
        (
            "Each flow with a hold-out: users with the goal's event within its days after their first start ÷ users "
            "assigned (reached or not), "
            "treated against held out. Starts whose days are not over are left out. A verdict is given by sop compare."
        ),
        (Reference("Q-22", "画布优惠券使转化提升到 2–3 倍", "canvas coupons convert 2–3 times as many"),),
    ),
)
CONVERSION = (
    Measure(
        "new_layer_conversion",
        "conversion",
        "rate",
        "新客层 30 天转化率",
        "30-day conversion of the new layer",
        "窗口内进入 三层 = 新客层 的用户中，30 天内下首单的占比。分母：进入满 30 天的用户；更晚进入的不计。",
        (
            "Users with an order within 30 days after entering 三层 = 新客层 ÷ users who entered it in the window. "
            "Those younger than 30 days are left out."
        ),
        (Reference("Q-06", "29%", "29 %"),),
        ("S2-68",),
    ),
    Measure(
        "referrer_share",
        "conversion",
        "change",
        "推荐者占比：转介种子对其他用户",
        "Referrers among seeds against all others",
        "窗口开始时带标签 转介种子 的用户中，窗口内有推荐或邀请的占比；对当时的其他用户，相对变化。",
        (
            "Users with a recommendation or invite in the window ÷ users who had the tag 转介种子 at its start, against "
            "all other users then, relative."
        ),
        (Reference("Q-13", "每月买 2 次以上者更愿推荐 70%", "70 % likelier to recommend at 2 purchases a month"),),
    ),
    Measure(
        "deep_conversion",
        "conversion",
        "times",
        "深度互动层转化：对其他层级",
        "Conversion of the deep level against the others",
        "窗口开始时在 内容互动 = 深度 的用户中，窗口内下单的占比；是其他层级的几倍。",
        ("Users with an order in the window ÷ users in 内容互动 = 深度 at its start, as times that of its other levels."),
        (Reference("Q-14", "深度层转化是普通层的 5 倍", "the deep level converts 5 times as well"),),
    ),
    Measure(
        "medium_consults",
        "conversion",
        "change",
        "中度互动层人均咨询：对上一窗口",
        "Consults a head of the medium level, against the window before",
        "窗口开始时在 内容互动 = 中度 的用户，窗口内咨询次数 ÷ 人数；对上一个等长窗口，相对变化。",
        ("Consults in the window ÷ users in 内容互动 = 中度 at its start, against the window of the same length before it, relative."),
        (Reference("Q-15", "中度层咨询 +40%", "the medium level consults 40 % more"),),
    ),
    Measure(
        "light_interaction",
        "conversion",
        "change",
        "轻度互动层 30 天互动率：对前 30 天",
        "30-day interaction of the light level, against the 30 days before",
        "30 天开始时在 内容互动 = 轻度 的用户中，这 30 天内有互动的占比；对前一个 30 天，相对变化。",
        (
            "Users who interact in the last 30 days of the window ÷ users in 内容互动 = 轻度 at their start, against "
            "the 30 days before, relative."
        ),
        (Reference("Q-16", "轻度层 30 天互动 +27%", "the light level interacts 27 % more in 30 days"),),
    ),
    Measure(
        "ugc_change",
        "conversion",
        "change",
        "用户发帖：对上一窗口",
        "Posts by users, against the window before",
        "窗口内用户发帖数对上一个等长窗口的相对变化。",
        "Posts by users in the window against the window of the same length before it, relative.",
        (Reference("Q-17", "用户内容 +150%", "150 % more content by users"),),
    ),
)
