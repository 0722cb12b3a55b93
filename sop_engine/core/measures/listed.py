"""Every measure, by key, in the order they are shown."""

from sop_engine.core.measures.listed_money import EFFORT, MONEY, REFERRAL, RETENTION, STRUCTURE
from sop_engine.core.measures.listed_reach import CONVERSION, REACH

MEASURES = {m.key: m for m in (*REACH, *CONVERSION, *RETENTION, *MONEY, *EFFORT, *REFERRAL, *STRUCTURE)}
