"""Decides whether a value fits a field of a WeChat template: the prefix of a field's name says what it takes."""

import re
from collections.abc import Mapping

VIAS = ("oa_template", "oa_subscribe", "mp_subscribe")
"""Channels whose texts are filled into fields."""

_TIME = r"\d{1,2}:\d{2}"
_DAY = r"\d{4}(?:年\d{1,2}月\d{1,2}日|[-/.]\d{1,2}[-/.]\d{1,2})"
_WHEN = rf"(?:{_DAY}\s?)?{_TIME}(?::\d{{2}})?"
_ONE_DAY = rf"{_DAY}(?:\s?{_TIME}(?::\d{{2}})?)?"
_SPAN = r"\s?~\s?"

RULES: Mapping[str, tuple[str, str]] = {
    "thing": (r".{1,20}", "at most 20 characters"),
    "number": (r"-?\d{1,32}(?:\.\d+)?", "a number of at most 32 digits"),
    "letter": (r"[A-Za-z]{1,32}", "at most 32 Latin letters"),
    "symbol": (r"[^\w\s]{1,5}", "at most 5 symbols"),
    "character_string": (r"[\x21-\x7e]{1,32}", "at most 32 digits, letters and symbols"),
    "time": (rf"{_WHEN}(?:{_SPAN}{_WHEN})?", "a time such as 15:01 or 2019年10月1日 15:01"),
    "date": (rf"{_ONE_DAY}(?:{_SPAN}{_ONE_DAY})?", "a day such as 2019年10月1日"),
    "amount": (r"[¥￥$€£]?\d{1,10}(?:\.\d+)?元?", "an amount such as ¥100.50 or 100元, of at most 10 digits"),
    "phone_number": (r"[\d+\-() ]{1,17}", "a phone number of at most 17 characters"),
    "car_number": (r"\S{1,8}", "a number plate of at most 8 characters"),
    "name": (r"(?=.*[\u4e00-\u9fff]).{1,10}|[^\u4e00-\u9fff]{1,20}", "a name of at most 10 characters with Chinese, 20 without"),
    "phrase": (r"[\u4e00-\u9fff]{1,5}", "at most 5 Chinese characters"),
}
"""By prefix: what a value looks like, and how that is said."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAME = re.compile(r"([a-z_]+?)\d*\.?(?:DATA)?")


def field_problem(name: str, value: str) -> str:
    """What is wrong with a value for a field (`thing1`); empty when it fits. A field of no known kind takes any text that is not empty."""
    if not value.strip():
        return f"'{name}' is empty"
    if _CONTROL.search(value):
        return f"'{name}' holds a line break or another control character"
    kind = _NAME.fullmatch(name)
    rule = RULES.get(kind[1]) if kind else None
    if rule is None or re.fullmatch(rule[0], value):
        return ""
    return f"'{name}' takes {rule[1]}"
