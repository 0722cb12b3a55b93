"""The words of the pages behind the links in messages, in the languages of their readers."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "lang": "zh-CN",
        "title": "消息设置",
        "stop_title": "不想再收到这类消息？",
        "stop": "不再接收",
        "from": "发送方",
        "by": "渠道",
        "explain": "点一下就生效，不需要登录，也不用说明理由。订单、发货等服务通知不受影响。",
        "stopped_title": "已经停了",
        "stopped": "您不会再通过“{channel}”收到 {sender} 的推广消息。刚刚已经发出的，可能还会到一条。",
        "undo": "点错了，恢复接收",
        "undo_note": "十分钟内可以恢复。",
        "undone_title": "已恢复",
        "undone": "您会继续通过“{channel}”收到 {sender} 的消息。",
        "too_late": "恢复的时间已过。想再收到，请在下面勾选。",
        "more": "只想少收一些？选择渠道和内容",
        "choose_title": "想收到什么，由您决定",
        "channels": "渠道",
        "topics": "内容",
        "save": "保存",
        "saved": "已保存。",
        "back": "返回",
        "later_title": "已收到",
        "later": "我们已经记下，会在发送下一条消息之前生效。",
        "gone": "这个链接打不开。请从最近一条消息里再点一次，或直接回复发送方。",
        "one_click": "已退订",
        "already": "您目前不会通过这个渠道收到推广消息。",
        "unknown_sender": "发送方",
    },
    "en": {
        "lang": "en",
        "title": "Your messages",
        "stop_title": "No more of these messages?",
        "stop": "Unsubscribe",
        "from": "From",
        "by": "Sent by",
        "explain": "One tap and it is done: no login, no questions. Messages about your orders still arrive.",
        "stopped_title": "You are unsubscribed",
        "stopped": "{sender} will send you no more promotions by {channel}. One that is already on its way may still arrive.",
        "undo": "That was a mistake: undo",
        "undo_note": "You can undo this for ten minutes.",
        "undone_title": "Undone",
        "undone": "You will go on getting messages from {sender} by {channel}.",
        "too_late": "It is too late to undo. To get messages again, tick them below.",
        "more": "Only want fewer? Choose channels and topics",
        "choose_title": "You decide what you get",
        "channels": "Channels",
        "topics": "Topics",
        "save": "Save",
        "saved": "Saved.",
        "back": "Back",
        "later_title": "Noted",
        "later": "We have noted it. It takes effect before the next message is sent.",
        "gone": "This link does not work. Try the one in your latest message, or answer its sender.",
        "one_click": "unsubscribed",
        "already": "You get no promotions by this channel at present.",
        "unknown_sender": "the sender",
    },
}


def language(locale: str, accepted: str, project: str) -> str:
    """zh or en: by what is known of the reader, else what the browser asks for first, else what the project speaks."""
    wanted = [locale, *(part.partition(";")[0].strip() for part in accepted.split(",")), project]
    return next((code for word in wanted if (code := word[:2].lower()) in WORDS), "zh")
