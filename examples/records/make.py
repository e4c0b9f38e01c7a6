"""Make the sample files: 500 messy records and their right answers. They are the same every time.

    python examples/records/make.py

Each row is made from clean values first (answers.csv), then written down the way people write (records.csv).
"""

import csv
import random
from datetime import date, timedelta
from pathlib import Path

STREETS = ("Elm", "Station", "Mill", "Church", "Garden", "Lime Tree", "North", "Harbour", "Kings", "Old Market")
KINDS = {
    "Street": ("Street", "St.", "st", "Str."),
    "Avenue": ("Avenue", "Ave."),
    "Road": ("Road", "Rd.", "rd"),
    "Lane": ("Lane", "Ln."),
}
CITIES = ("Berlin", "Hamburg", "Leipzig", "Bad Homburg", "Bremen", "Weimar", "Dresden", "Kiel")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def shouted(chance: random.Random, text: str) -> str:
    """Return `text` as it is, in capitals or in small letters."""
    return chance.choice((text, text, text.upper(), text.lower()))


def messy_address(chance: random.Random, clean: dict[str, str]) -> str:
    """Return the address as somebody typed it."""
    name, kind = clean["street"].rsplit(" ", 1)
    street = shouted(chance, f"{name} {chance.choice(KINDS[kind])}")
    number = clean["house_number"]
    if number[-1].isalpha():
        number = chance.choice((number, number.upper(), f"{number[:-1]} {number[-1].upper()}"))
    line = chance.choice((f"{number} {street}", f"{street} {number}"))
    town = chance.choice(
        (f"{clean['postcode']} {shouted(chance, clean['city'])}", f"{shouted(chance, clean['city'])} {clean['postcode']}")
    )
    gap = chance.choice((", ", " / ", "; "))
    return gap.join(chance.choice(((line, town), (town, line))))


def messy_date(chance: random.Random, iso: str) -> str:
    """Return the date as somebody typed it."""
    day = date.fromisoformat(iso)
    name = MONTHS[day.month - 1]
    return chance.choice(
        (
            iso,
            f"{day.day}.{day.month}.{day.year}",
            f"{day:%d/%m/%y}",
            f"{day.day} {name} {day.year}",
            f"{name} {day.day}, {day.year}",
            f"{day.day}-{name[:3]}-{day:%y}",
        )
    )


def messy_amount(chance: random.Random, amount: str, currency: str) -> str:
    """Return the amount as somebody typed it."""
    whole, cents = amount.split(".")
    thousands, point = chance.choice(((",", "."), (".", ","), ("", "."), ("", ","), (" ", ",")))
    grouped = f"{int(whole):,}".replace(",", thousands)
    figure = grouped if cents == "00" and chance.random() < 0.5 else f"{grouped}{point}{cents}"
    sign = SIGNS[currency]
    return chance.choice((f"{sign}{figure}", f"{figure} {sign}", f"{currency} {figure}", f"{figure} {currency.lower()}"))


def records(number: int, seed: int = 1) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return `number` pairs of a messy record and its right answer."""
    chance = random.Random(seed)  # noqa: S311  no secret
    pairs = []
    for row in range(1, number + 1):
        cents = chance.choice((0, 0, chance.randrange(100)))
        clean = {
            "street": f"{chance.choice(STREETS)} {chance.choice(list(KINDS))}",
            "house_number": f"{chance.randint(1, 240)}{chance.choice(('', '', '', 'a', 'b'))}",
            "postcode": f"{chance.randint(10000, 99999)}",
            "city": chance.choice(CITIES),
            "date": (date(2001, 1, 1) + timedelta(days=chance.randrange(9000))).isoformat(),
            "amount": f"{chance.choice((chance.randint(1, 999), chance.randint(1000, 99999)))}.{cents:02}",
            "currency": chance.choice(list(SIGNS)),
        }
        messy = {
            "customer": f"C{row:04}",
            "address": messy_address(chance, clean),
            "date": messy_date(chance, clean["date"]),
            "amount": messy_amount(chance, clean["amount"], clean["currency"]),
        }
        pairs.append((messy, {"row": str(row), "customer": messy["customer"], **clean}))
    return pairs


def main() -> None:
    """Write both files beside this one."""
    here = Path(__file__).parent
    pairs = records(500)
    for name, rows in (("records.csv", [messy for messy, _ in pairs]), ("answers.csv", [clean for _, clean in pairs])):
        with (here / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
