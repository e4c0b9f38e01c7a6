"""The database of a shop, made from a seed: seven tables, about eight thousand rows, and the traps of real databases.

    python -m examples.sql_flow.shop shop.db

Orders may be cancelled and stay in the table. Guests order without being customers. E-mail addresses, suppliers and stars may
be missing (NULL). Customers may have the same name. The day on which a customer joined is a text that does not sort. An order
may be paid in parts, and paid back. A price may have been different when something was bought. The rows are invented.
"""

import argparse
import random
import sqlite3
from datetime import date, timedelta
from pathlib import Path
from typing import Any

SEED = 30

SCHEMA = """\
CREATE TABLE suppliers (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE products (
  id INTEGER PRIMARY KEY, name TEXT, category TEXT, price_cents INTEGER, supplier_id INTEGER, discontinued_on TEXT);
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, city TEXT, joined TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, ordered_on TEXT, shipped_on TEXT, status TEXT);
CREATE TABLE order_items (order_id INTEGER, product_id INTEGER, quantity INTEGER, unit_cents INTEGER);
CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER, paid_on TEXT, amount_cents INTEGER, method TEXT);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, product_id INTEGER, customer_id INTEGER, stars INTEGER, written_on TEXT);
"""

CATEGORIES = {
    "lamps": ("lamp", 2_900, 12_900),
    "chairs": ("chair", 4_900, 24_900),
    "tables": ("table", 9_900, 49_900),
    "shelves": ("shelf", 3_900, 19_900),
    "rugs": ("rug", 1_900, 29_900),
}
"""Category -> what a product of it is called, and its lowest and highest price in cents."""

WOODS = ("oak", "ash", "pine", "walnut", "birch", "cherry", "maple", "beech", "larch", "elm", "steel", "glass", "wool")
SIZES = ("small", "large", "low", "high", "round", "narrow", "folding")
FIRST = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jan", "Karla", "Leo", "Mia", "Nils")
LAST = ("Weber", "Koch", "Bauer", "Wolf", "Klein", "Braun", "Lang", "Vogel", "Roth", "Frank", "Berg", "Busch", "Kaiser", "Haas")
CITIES = ("Leipzig", "Halle", "Dresden", "Jena", "Erfurt", "Weimar", "Gera")
COUNTRIES = ("Germany", "Poland", "Denmark", "Sweden", "Italy")
METHODS = ("card", "transfer", "invoice")

FIRST_DAY, LAST_DAY = date(2022, 1, 3), date(2025, 6, 30)

Rows = dict[str, list[tuple[Any, ...]]]
"""Table -> its rows."""


def rows_of(seed: int = SEED) -> Rows:
    """Return the rows of all tables; the same seed gives the same rows."""
    rng = random.Random(seed)  # noqa: S311  no secret
    suppliers = [(number, f"Supplier {number}", rng.choice(COUNTRIES)) for number in range(1, 15)]
    products = _products(rng)
    customers = _customers(rng)
    rows: Rows = {"suppliers": suppliers, "products": products, "customers": customers}
    rows |= {"orders": [], "order_items": [], "payments": [], "reviews": []}
    joined = {row[0]: date(*map(int, reversed(row[4].split(".")))) for row in customers}
    buyers = rng.sample(sorted(joined), len(joined) * 4 // 5)  # the others never order
    weights = [rng.paretovariate(1.3) for _ in buyers]
    for number in range(1, 1801):
        _order(rng, rows, number, rng.choices(buyers, weights)[0], joined)
    for number in range(1, 901):
        product = rng.choice(products[: len(products) * 9 // 10])[0]
        stars = None if rng.random() < 0.2 else min(5, max(1, round(rng.gauss(3.3 + product % 5 * 0.4, 0.9))))
        rows["reviews"].append((number, product, rng.choice(buyers), stars, str(_day(rng, FIRST_DAY))))
    return rows


def _day(rng: random.Random, first: date) -> date:
    return first + timedelta(days=rng.randrange((LAST_DAY - first).days))


def _products(rng: random.Random) -> list[tuple[Any, ...]]:
    names = [(category, f"{size} {wood}") for category in CATEGORIES for size in SIZES for wood in WOODS]
    products = []
    for number, (category, name) in enumerate(rng.sample(names, 140), 1):
        noun, low, high = CATEGORIES[category]
        supplier = None if rng.random() < 0.12 else rng.randint(1, 14)
        ended = str(_day(rng, date(2024, 1, 1))) if rng.random() < 0.2 else None
        products.append((number, f"{name} {noun}", category, rng.randrange(low, high, 100), supplier, ended))
    return products


def _customers(rng: random.Random) -> list[tuple[Any, ...]]:
    customers = []
    for number in range(1, 421):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        email = None if rng.random() < 0.15 else f"{name.lower().replace(' ', '.')}{number}@example.org"
        city = rng.choices(CITIES, [9, 8, 7, 5, 4, 3, 2])[0]
        customers.append((number, name, email, city, f"{_day(rng, FIRST_DAY):%d.%m.%Y}"))
    return customers


def _order(rng: random.Random, rows: Rows, number: int, customer: int, joined: dict[int, date]) -> None:
    """Add an order with its items and payments."""
    guest = rng.random() < 0.06
    day = _day(rng, FIRST_DAY if guest else joined[customer])
    cancelled = rng.random() < (0.3 if number % 3 == 0 else 0.08)
    shipped = None if cancelled or rng.random() < 0.07 else day + timedelta(days=1 + int(rng.expovariate(0.3)))
    status = "cancelled" if cancelled else "open" if shipped is None else rng.choice(("shipped", "delivered", "delivered"))
    rows["orders"].append((number, None if guest else customer, str(day), str(shipped) if shipped else None, status))
    total = 0
    for product in rng.sample(rows["products"], rng.choice((1, 1, 2, 2, 3, 4))):
        quantity = rng.choice((1, 1, 1, 2, 4)) * (5 if cancelled and rng.random() < 0.3 else 1)
        unit = round(product[3] * rng.choice((1, 1, 0.9, 0.8)))
        rows["order_items"].append((number, product[0], quantity, unit))
        total += quantity * unit
    method, payments = rng.choices(METHODS, [6, 3, 2])[0], rows["payments"]
    parts = [total // 2, total - total // 2] if rng.random() < 0.2 else [total]
    for place, amount in enumerate(parts):
        payments.append((len(payments) + 1, number, str(day + timedelta(days=30 * place)), amount, method))
    if cancelled:
        payments.append((len(payments) + 1, number, str(day + timedelta(days=40)), -total, method))


def write(path: Path, seed: int = SEED) -> None:
    """Make the database; a file that is there is replaced."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    for table, rows in rows_of(seed).items():
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  names of our own
    connection.commit()
    connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    write(given.path, given.seed)
