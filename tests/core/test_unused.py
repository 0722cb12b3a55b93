"""Says which facts, texts and benefits of a project count as used."""

from sop_engine.core.unused import facts_read, unused
from tests.builders import example_project


def test_what_nothing_reads_sends_or_gives_is_listed_and_what_is_read_is_not() -> None:
    project = example_project()
    left = unused(project)
    assert "性别" in left["attributes"]
    assert "历史最低单笔" in left["metrics"]
    assert "体验官" in left["tags"]
    assert left["templates"] == left["benefits"] == ()
    read = facts_read(project)
    for name in ("手机号", "昵称", "最弱维度", "最近活动", "RFM五档", "unionid", "距上次消费天数", "生日"):
        assert name in read
