"""Every simulation check with its expected value: quick in the normal suite, with many more runs by `make simulate`."""

from collections.abc import Iterator

import numpy as np

from tests.core.stats import simulations as s
from tests.core.stats.simulations import Check
from tests.core.stats.whole_comparison import whole_comparison

QUICK = 4_000
NIGHTLY = 100_000
PATHS = 200  # each asked of the whole comparison on all 28 looks


def checks(runs: int, seed: int = 20_250_301) -> Iterator[Check]:
    """All of them."""
    yield from false_verdicts(runs, seed)
    yield from coverage_and_power(runs, seed + 1)
    yield from ratios(runs, seed + 2)
    yield from windows(runs, seed + 3)
    yield from money_and_strata(runs, seed + 4)
    yield from must_be_bad(runs, seed + 5)


def false_verdicts(runs: int, seed: int) -> Iterator[Check]:
    """No effect: any verdict on any day."""
    random = np.random.default_rng(seed)
    default = [
        ((50, 50), 0.1, 0.040), ((2, 2), 0.5, 0.047), ((2, 18), 0.02, 0.037), ((5, 45), 0.02, 0.031), ((20, 180), 0.02, 0.039),
        ((5, 45), 0.1, 0.040), ((500, 500), 0.05, 0.040), ((10, 10), 0.99, 0.0105),
    ]  # fmt: skip
    for day, rate, expected in default:
        yield Check(f"no effect, default, {day} at {rate:.0%}", s.any_verdict(random, day, (rate, rate), runs), expected, runs)
    for day, rate, expected in [((50, 50), 0.1, 0.011), ((5, 45), 0.02, 0.019), ((20, 180), 0.02, 0.016)]:
        seen = s.any_verdict(random, day, (rate, rate), runs, "open_ended")
        yield Check(f"no effect, open-ended, {day} at {rate:.0%}", seen, expected, runs)
    for day, rate, expected in [((25, 25), 0.1, 0.036), ((10, 30), 0.1, 0.030), ((100, 300), 0.02, 0.031)]:
        yield Check(f"no effect, 3 variants and hold-out, {day} at {rate:.0%}", s.three_variants(random, day, rate, runs), expected, runs)
    yield Check("no effect, early alarm, (50, 50) at 10%", s.alarms(random, (50, 50), 0.1, runs), 0.003, runs)


def coverage_and_power(runs: int, seed: int) -> Iterator[Check]:
    """True differences: outside the interval, and found."""
    random = np.random.default_rng(seed)
    for day, rates, expected in [
        ((2, 2), (0.1, 0.3), 0.036), ((5, 45), (0.02, 0.05), 0.036), ((20, 180), (0.1, 0.12), 0.040), ((50, 50), (0.1, 0.13), 0.040),
    ]:  # fmt: skip
        yield Check(f"true difference ever outside, {day} {rates}", s.outside(random, day, rates, runs), expected, runs)
    for mode, rates, expected in [
        ("hybrid", (0.1, 0.13), 0.668), ("fixed", (0.1, 0.13), 0.702), ("open_ended", (0.1, 0.13), 0.376), ("hybrid", (0.1, 0.14), 0.888),
    ]:  # fmt: skip
        yield Check(f"found, {mode}, (50, 50) {rates}", s.found(random, (50, 50), rates, runs, mode), expected, runs, False)


def ratios(runs: int, seed: int) -> Iterator[Check]:
    """Sample ratio: right shares, and truly 52/48."""
    random = np.random.default_rng(seed)
    for shares, a_day, looks, expected in [
        ((0.5, 0.5), 1000, 28, 0.0093), ((0.05, 0.225, 0.225), 200, 28, 0.0097), ((0.5, 0.5), 1000, 56, 0.0120),
    ]:  # fmt: skip
        scaled = tuple(x / sum(shares) for x in shares)
        red = s.ratio_flags(random, scaled, a_day, looks, runs)
        yield Check(f"sample ratio red, right shares {shares}, {looks} looks", float((red > 0).mean()), expected, runs)
    red = s.ratio_flags(random, (0.5, 0.5), 1000, 28, runs, true=(0.52, 0.48))
    yield Check("sample ratio red, truly 52/48", float((red > 0).mean()), 1.0, runs, False)
    yield Check("sample ratio, truly 52/48: median day 7", float(np.median(red) == 7), 1.0, runs, False)


def windows(runs: int, seed: int) -> Iterator[Check]:
    """Users who enter late and return late, mature ones alone."""
    random = np.random.default_rng(seed)
    for name, means, shift, expected in [
        ("both mean 5", (5.0, 5.0), 0, 0.038), ("variant 7 days late", (5.0, 5.0), 7, 0.037), ("means 7 and 2.5", (7.0, 2.5), 0, 0.038),
    ]:  # fmt: skip
        yield Check(f"no effect, window 14, {name}", s.late_returns(random, means, shift, runs), expected, runs)


def money_and_strata(runs: int, seed: int) -> Iterator[Check]:
    """Revenue without effect, strata without effect."""
    random = np.random.default_rng(seed)
    some = min(runs, 20_000)
    yield Check("revenue, pooled, 2,000/18,000", s.revenue_claims(random, (2_000, 18_000), some), 0.046, some)
    yield Check("revenue, pooled, 20,000/180,000", s.revenue_claims(random, (20_000, 180_000), some), 0.050, some, False)
    yield Check("revenue, 5,000/45,000, 30 buyers", s.revenue_claims(random, (5_000, 45_000), some, fewest=30), 0.034, some)
    yield Check("strata, no effect, misses", s.strata_misses(random, some), 0.051, some, False)


def must_be_bad(runs: int, seed: int) -> Iterator[Check]:
    """What the product does not do: these show that the checks can fail."""
    random = np.random.default_rng(seed)
    yield Check("BAD: 95% every day, (50, 50) at 10%", s.any_verdict(random, (50, 50), (0.1, 0.1), runs, "naive"), 0.260, runs, False)
    unadjusted = naive_three(random, runs)
    yield Check("BAD: 95% every day, 3 variants (25, 25), unadjusted", unadjusted, 0.505, runs, False)
    for name, means, shift, expected in [
        ("both mean 5", (5.0, 5.0), 0, 0.068), ("7 days late", (5.0, 5.0), 7, 0.089), ("means 7 and 2.5", (7.0, 2.5), 0, 0.131),
    ]:  # fmt: skip
        seen = s.late_returns(random, means, shift, runs, immature=True)
        yield Check(f"BAD: immature users counted, {name}", seen, expected, runs, False)
    some = min(runs, 20_000)
    welch = s.revenue_claims(random, (2_000, 18_000), some, equal_var=False)
    yield Check("BAD: Welch on revenue, 2,000/18,000", welch, 0.107, some, False)
    yield Check("BAD: strata, crude", s.strata_misses(random, min(runs, 4_000), crude=True), 1.00, min(runs, 4_000), False)


def naive_three(random: np.random.Generator, runs: int) -> float:
    """Three variants and a hold-out of 25 a day, a 95 % interval every day, unadjusted."""
    looks = np.arange(1, s.LOOKS + 1)
    x0 = s.paths(random, 25, 0.1, runs)
    wrong = np.zeros(runs, dtype=bool)
    for _ in range(3):
        low, high, judged = s.limits((x0, s.paths(random, 25, 0.1, runs)), (25 * looks, 25 * looks), "naive")
        wrong |= (((low > 0) | (high < 0)) & judged).any(axis=1)
    return float(wrong.mean())


def main() -> int:
    """Print every check with many runs; 1 when one does not hold."""
    listed = []
    for check in checks(NIGHTLY):
        print(check, flush=True)
        listed.append(check)
    bad = [c for c in listed if not c.holds]
    print(f"{len(listed) - len(bad)} of {len(listed)} checks hold", flush=True)
    unlike = same_words(PATHS)
    return 1 if bad or unlike else 0


def same_words(paths: int) -> list[str]:
    """Ask `compare` itself on every look of so many paths, and print where it does not say what the simulation says."""
    seen = whole_comparison(paths, 20_250_307, (0.1, 0.15), told=lambda done: None if done % 50 else print(f"{done} of {paths} paths"))
    print("\n".join(seen.unlike) or f"compare says on {seen.looks:,} looks what the simulation says: {dict(seen.words)}", flush=True)
    return seen.unlike


if __name__ == "__main__":
    raise SystemExit(main())
