"""Runs the contract suite: every channel before every behaviour of a provider, with its counts at the end; 1 where one is broken."""

import sys
from collections import Counter

from tests.channels.suite.adapters import ADAPTERS
from tests.channels.suite.contract import BEHAVIOURS, DoesNotApply, check_cell


def main() -> int:
    """Run every cell."""
    found, reasons = Counter[str](), Counter[tuple[str, str]]()
    for name, adapter in ADAPTERS.items():
        for behaviour in BEHAVIOURS:
            try:
                check_cell(adapter, behaviour)
                found["held"] += 1
            except DoesNotApply as why:
                found["does not apply"] += 1
                reasons[name, str(why)] += 1
            except AssertionError as broken:
                found["broken"] += 1
                print(f"BROKEN {name} × {behaviour.name}: {broken}")
    for (name, why), many in reasons.items():
        print(f"{name}: {many} × {why}")
    cells = len(ADAPTERS) * len(BEHAVIOURS)
    counts = ", ".join(f"{found[word]} {word}" for word in ("held", "broken", "does not apply"))
    print(f"{len(ADAPTERS)} adapters × {len(BEHAVIOURS)} behaviours = {cells} cells: {counts}")
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
