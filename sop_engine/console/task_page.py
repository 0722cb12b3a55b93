"""Writes the page on which a colleague answers a task, in Chinese and English, without a script and without a style."""

from html import escape

BUTTONS = (("done", "已完成", "Done"), ("not_reached", "没联系上", "Not reached"), ("refused", "对方不愿意", "Refused"))
STOPS = (("stop_channel", "不再由同事联系", "No more from colleagues"), ("stop_all", "停止全部营销消息", "No more promotions at all"))
STATES = {
    "done": ("已完成", "done"),
    "not_reached": ("没联系上", "not reached"),
    "refused": ("对方不愿意", "refused"),
    "unconfirmed": ("逾期未确认", "not confirmed in time"),
}


def task_page(text: str, state: str, *, stops: bool = False, thanks: bool = False) -> str:
    """The page of a task: its brief, and buttons as long as it is open; `stops`: asks what the customer wants no more of."""
    parts = [f"<pre>{escape(text)}</pre>"]
    if thanks:
        parts.append("<p>已登记 / Noted.</p>")
    if state == "open":
        parts.append(_form(BUTTONS))
    else:
        zh, en = STATES.get(state, (state, state))
        parts.append(f"<p>这项任务：{escape(zh)} / This task: {escape(en)}</p>")
    if stops:
        parts.append(f"<p>客户不想再收到什么？ / What does the customer want no more of?</p>{_form(STOPS)}")
    return _whole("任务 / Task", "".join(parts))


def plain_page(zh: str, en: str) -> str:
    """A page with one sentence."""
    return _whole("任务 / Task", f"<p>{escape(zh)} / {escape(en)}</p>")


def _form(buttons: tuple[tuple[str, str, str], ...]) -> str:
    inside = "".join(f'<p><button name="answer" value="{name}">{zh} / {en}</button></p>' for name, zh, en in buttons)
    return f'<form method="post">{inside}</form>'


def _whole(title: str, body: str) -> str:
    metas = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
    return f'<!doctype html><html lang="zh"><head>{metas}<title>{title}</title></head><body>{body}</body></html>'
