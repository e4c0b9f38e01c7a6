"""Make the sample files: 60 orders as people write them down, and their right records. They are the same every time.

python examples/curate/make.py
"""

import csv
import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

ITEMS = ["Flat white", "Espresso", "Oat cappuccino", "Iced tea", "Cinnamon roll", "Cheese toast"]
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


def main() -> None:
    """Write orders.csv and labelled.csv beside this file."""
    chance, here = random.Random(18), Path(__file__).parent  # noqa: S311  no secret
    table: list[list[object]] = [["ticket", "note", "item", "count", "each", "total", "currency", "paid"]]
    for number in range(1, 61):
        item, count, currency = chance.choice(ITEMS), chance.randint(1, 5), chance.choice(list(SIGNS))
        each = Decimal(chance.randint(30, 130) * 5) / 100
        paid = date(2026, 1, 5) + timedelta(days=chance.randrange(80)) if chance.random() < 0.7 else None
        total, sign = each * count, SIGNS[currency]
        day = "" if paid is None else f", {paid.isoformat()}"
        noted = "" if paid is None else f" (paid {paid.strftime('%d %B %Y').lstrip('0')})"
        comma = f"{total:.2f}".replace(".", ",")
        note = chance.choice(
            [
                f"{count} x {item} @ {each:.2f} {currency} = {total:.2f} {currency}{day}",
                f"{count} x {item} @ {each:.2f} {currency} = {total:.2f} {currency}{day}",
                f"{WORDS[count]} {item.lower()} at {sign}{each:.2f}, so {sign}{total:.2f}{noted}",
                f"{item}: {comma} {sign} for {count}{noted}",
                f"{sign}{total:.2f} - {count}* {item.upper()} {each:.2f} per piece{noted}",
            ]
        )
        table.append([f"T{number:03}", note, item, count, f"{each:.2f}", f"{total:.2f}", currency, paid or ""])
    for name, width in (("orders.csv", 2), ("labelled.csv", len(table[0]))):
        with (here / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(row[:width] for row in table)


if __name__ == "__main__":
    main()
