"""Decides the centres of a `cluster` and the number each keeps from refresh to refresh."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sop_engine.core.fitting import kept, means_and_scales
from sop_engine.core.metrics import Fit, Metric

if TYPE_CHECKING:
    from sop_engine.core.fitting import Table

SEED = 0
MOST_ROWS = 50_000  # more are thinned out evenly: centres hardly move, the time stays bounded
SILHOUETTE_ROWS = 2_000  # the silhouette compares every pair


def fit_cluster(metric: Metric, rows: Sequence[Sequence[float]], *, previous: Fit | None = None) -> Fit:
    """Centres by k-means on standardised values: one row a person, in the order of `metric.of`, all known.

    The same rows in any order give the same fit. Of several possible k (`into`) the one with the best silhouette is taken. Centres
    are numbered from the largest group to the smallest; at a refit the closest pairs of old and new centre keep the old number
    and the others get free ones, so that a playbook goes on meaning the same people. `degenerate` when all rows are equal.
    """
    import numpy as np

    if not len(rows):
        return Fit(metric.name, degenerate=True)
    table = np.asarray(rows, dtype=float)
    table = table[np.lexsort(table.T[::-1])]
    means, scales = means_and_scales(table)
    least, most = metric.into or (2, 5)
    centres = _centres(_thinned((table - means) / scales, MOST_ROWS), least, most)
    numbers = _numbers(centres * scales + means, scales, previous, most)
    ordered = sorted(zip(numbers, centres, strict=True), key=lambda pair: pair[0])
    return Fit(
        metric.name,
        centres=tuple(kept(centre) for _, centre in ordered),
        numbers=tuple(number for number, _ in ordered),
        means=kept(means),
        scales=kept(scales),
        people=len(rows),
        degenerate=len(centres) == 1,
    )


def _thinned(rows: "Table", most: int) -> "Table":
    """At most so many rows, evenly out of all."""
    return rows[:: -(-len(rows) // most)]


def _centres(sample: "Table", least: int, most: int) -> "Table":
    """The centres in standardised values, of the largest group first; no more than there are different rows."""
    import numpy as np
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    different = len(np.unique(sample, axis=0))
    least, most = min(least, different), min(most, different)
    with threadpool_limits(1):  # on samples of this size more threads cost many times what they save
        models = [KMeans(k, n_init=10, random_state=SEED).fit(sample) for k in range(least, most + 1)]
    best = models[0] if least == most else max(models, key=lambda model: _silhouette(sample, model.labels_))
    sizes = np.bincount(best.labels_)
    centres: Table = best.cluster_centers_[np.argsort(-sizes, kind="stable")]
    return centres


def _silhouette(sample: "Table", labels: "Table") -> float:
    """How well the groups stand apart, -1 to 1; -1 where that cannot be said (one group, or every row a group)."""
    import numpy as np
    from sklearn.metrics import silhouette_score

    rows, groups = _thinned(sample, SILHOUETTE_ROWS), _thinned(labels, SILHOUETTE_ROWS)
    return float(silhouette_score(rows, groups)) if 1 < len(np.unique(groups)) < len(rows) else -1.0


def _numbers(centres: "Table", scales: "Table", previous: Fit | None, most: int) -> list[int]:
    """The number of each centre: that of the nearest old centre, closest pairs first, else the smallest free one."""
    import numpy as np

    found: dict[int, int] = {}
    if previous is not None and previous.centres and len(previous.means) == len(scales):
        old = np.asarray(previous.centres) * np.asarray(previous.scales) + np.asarray(previous.means)
        distances = (((centres[:, None, :] - old[None, :, :]) / scales) ** 2).sum(axis=2)
        for new, before in sorted(np.ndindex(*distances.shape), key=lambda pair: (float(distances[pair]), pair)):
            number = previous.numbers[before]
            if new not in found and number not in found.values() and number <= most:
                found[new] = number
    free = iter(n for n in range(1, 2 * len(centres) + 1) if n not in found.values())
    return [found[i] if i in found else next(free) for i in range(len(centres))]
