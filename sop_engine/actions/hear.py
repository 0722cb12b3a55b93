"""Takes in what events say about their users: traits, a time zone, and that two ids are one person."""

from collections.abc import Mapping, Sequence

from sop_engine.actions.goals import Stored
from sop_engine.actions.unite import unite
from sop_engine.app import Work
from sop_engine.core.identity import MOST_USERS, Known, Shared, is_visitor, older_first
from sop_engine.core.ingested import ANONYMOUS
from sop_engine.store import identities, merge_facts, merges
from sop_engine.store import users as store_users
from sop_engine.store.merges import Cause
from sop_engine.store.people import lock_users
from sop_engine.store.traits import Saying, say

VISITOR = "anonymousId"  # what two users share who were seen on one device
ALIAS = "previousId"


def hear(work: Work, stored: Sequence[Stored], *, may_start: bool = True) -> tuple[bool, dict[int, int]]:
    """Store what these events say. Whether any fact changed, and by users who are none any more: who they are now.

    A visitor becomes part of the user it says it is, unless it is another one's already: then the pair waits for a person.
    """
    told = [(s, s.record.profile) for s in stored if s.record.profile is not None]
    sayings = [Saying(s.user_id, s.record.at, said.traits, said.timezone) for s, said in told if said.traits or said.timezone]
    changed = say(work.tx, sayings) if sayings else {}
    names = {name for name, _ in work.project.identities}
    work.identified |= {user for user, said in changed.items() if said & names}
    gone: dict[int, int] = {}
    for one, said in told:
        for word, other in ((VISITOR, said.anonymous_id), (ALIAS, said.previous_id)):
            if other:
                joined = _Joining(work, one, word, other, may_start).join(gone.get(one.user_id, one.user_id))
                gone = follow_on(gone, joined)
    work.identified = {gone.get(user, user) for user in work.identified}
    return bool(changed or gone), gone


def follow_on(first: Mapping[int, int], then: Mapping[int, int]) -> dict[int, int]:
    """Who users are after one step and then another one."""
    return {old: then.get(now, now) for old, now in first.items()} | dict(then)


class _Joining:
    """One event that says that `other` is the same person as its user."""

    def __init__(self, work: Work, one: Stored, word: str, other: str, may_start: bool) -> None:
        self.work, self.source, self.at = work, one.record.source, one.record.at
        self.word, self.other, self.may_start = word, other, may_start

    def join(self, user: int) -> dict[int, int]:
        """Make them one, or let the pair wait; by users who are none any more: who they are now."""
        found = self._find()
        if found is None:
            merge_facts.add_former(self.work.tx, self.work.project, user, ANONYMOUS + self.other, self.at)
            return {}
        if found == user:
            return {}
        moved = lock_users(self.work.tx, [user, found])
        user, found = moved.get(user, user), moved.get(found, found)
        return {} if user == found else self._unite(user, found)

    def _find(self) -> int | None:
        visitor = ANONYMOUS + self.other
        ids = store_users.ids_by_key(self.work.tx, [self.other, visitor] if self.word == ALIAS else [visitor])
        return ids.get(self.other, ids.get(visitor)) if self.word == ALIAS else ids.get(visitor)

    def _unite(self, user: int, found: int) -> dict[int, int]:
        tx = self.work.tx
        known, members = merges.known_users(tx, [user, found]), identities.members_of(tx, [user, found])
        if merges.were_parted(tx, members[user], members[found]):
            return {}
        if self.word == VISITOR and not is_visitor(known[found].key):
            self._wait(known[user], known[found], f"both were seen with one {self.word}")
            return {}
        if sum(not is_visitor(key) for key in identities.keys_of(tx, [user, found])) > MOST_USERS:
            self._wait(known[user], known[found], f"more than {MOST_USERS} users would be one by {self.word}")
            return {}
        cause = Cause(None, f"said to be one: the same {self.word}", self.work.now, self.source)
        here, other = unite(self.work, known[user], known[found], cause, may_start=self.may_start)
        return {other: here}

    def _wait(self, one: Known, other: Known, why: str) -> None:
        merges.wait_for_person(self.work.tx, *older_first(one, other), Cause(Shared(self.word, self.other), why, self.work.now))
