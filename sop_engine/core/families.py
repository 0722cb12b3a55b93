"""The six families of models the library ships: what each divides by, where it fits, how hard it is to keep, at which stage of a firm."""

from collections.abc import Iterable
from dataclasses import dataclass

STAGES = {"startup": "初创", "growth": "成长", "mature": "成熟"}


@dataclass(frozen=True, slots=True)
class Family:
    """One family. `complexity`: 1 is simple, 5 needs a team. `stages`: where a firm begins with it; none: whenever its data is good."""

    name: str
    tiers: tuple[str, ...]  # of the shipped library
    dimensions: tuple[str, ...]
    domains: tuple[str, ...]
    complexity: int
    stages: tuple[str, ...] = ()


FAMILIES = (
    Family("RFM", ("RFM五档", "RFM八类", "RFM行动"), ("最近消费", "消费频率", "消费金额"), ("电商", "零售"), 2, ("mature",)),
    Family("AARRR", ("AARRR",), ("所处阶段",), ("工具应用", "平台"), 3, ("startup",)),
    Family("社区金字塔", ("社区金字塔", "贡献金字塔"), ("贡献", "影响力"), ("社区",), 2),
    Family("生命周期", ("生命周期",), ("活跃趋势",), ("高频服务",), 3, ("growth",)),
    Family("AIPL", ("AIPL",), ("认知到忠诚",), ("全域",), 4, ("mature",)),
    Family("聚类", ("消费场景",), ("消费场景",), ("数据完善的企业",), 4),
)


def families(domain: str = "", stage: str = "") -> list[Family]:
    """Those for a domain (a word of it is enough) and a stage (in either language); all if nothing is asked."""
    asked = next((key for key, word in STAGES.items() if stage in (key, word)), stage)
    return [one for one in FAMILIES if _fits(domain, one.domains) and (not asked or asked in one.stages)]


def domains() -> list[str]:
    """Every domain, once."""
    return list(dict.fromkeys(domain for one in FAMILIES for domain in one.domains))


def _fits(asked: str, known: Iterable[str]) -> bool:
    return not asked or any(asked in one or one in asked for one in known)
