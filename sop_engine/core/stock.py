"""Says when a stock of codes will soon be empty."""

from decimal import Decimal

LOW_SHARE, LOW_DAYS, WEEK = Decimal("0.1"), 3, 7


def low_stock(size: int, left: int, given_in_week: int) -> str:
    """Why a stock is low: a tenth or less is left, or what lasts three days or less at the pace of the last week; else empty."""
    if size <= 0 or left <= 0:
        return "no codes are left"
    if left <= LOW_SHARE * size:
        return f"{Decimal(left) / size:.0%} are left"
    if given_in_week and left * WEEK <= LOW_DAYS * given_in_week:
        return f"at the pace of the last week they last {Decimal(left) * WEEK / given_in_week:.1f} days"
    return ""
