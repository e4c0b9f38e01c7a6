"""Plants forty faults of eight kinds in a ledger that has none, and writes down where they are, to measure the audit.

    python -m examples.ledger.plant clean.beancount faulty.beancount planted.json

The clean ledger may come from beancount's own generator (`pip install beancount`, then `bean-example --seed 1`). The faults are
planted in entries that were paid with the company card, or in transfers and salaries. The balances of the ledger stay.
"""

import json
import random
import re
import sys
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

CARD = "Liabilities:US:Chase:Slate"

FAULTS = {
    "duplicate": 5,
    "limit": 4,
    "weekend": 4,
    "sum": 5,
    "category": 7,
    "private": 5,
    "purpose": 5,
    "split": 5,
}
"""Rule -> how many faults against it are planted, forty in all."""

PRIVATE = [
    ("Toy Palace", "Birthday present for my daughter", "Expenses:Food:Groceries"),
    ("Salon Belle", "Haircut before the wedding", "Expenses:Food:Restaurant"),
    ("City Gym", "Membership, family rate", "Expenses:Home:Phone"),
    ("Cinema Lux", "Saturday film with the kids", "Expenses:Food:Restaurant"),
    ("Sun Travel", "Deposit for our holidays", "Expenses:Transport:Tram"),
]
VAGUE = ["as discussed", "various", "see attachment", "per Bob", "tbd"]
SPLIT = [
    ("Office World", "Standing desk, first part", "Standing desk, second part"),
    ("Byte Store", "Laptop 1/2", "Laptop 2/2"),
    ("Print Shop", "Flyers for the fair, deposit", "Flyers for the fair, rest"),
    ("Chairs & Co", "Two chairs", "Two more chairs of the same order"),
    ("Phone House", "Conference phone, invoice A", "Conference phone, invoice B"),
]
ELSEWHERE = {
    "Expenses:Food:Restaurant": ["Expenses:Home:Phone", "Expenses:Transport:Tram", "Expenses:Food:Groceries"],
    "Expenses:Food:Groceries": ["Expenses:Food:Restaurant", "Expenses:Home:Internet"],
    "Expenses:Transport:Tram": ["Expenses:Food:Coffee"],
}

_ENTRY = re.compile(r"(\d{4}-\d\d-\d\d) \* ")


@dataclass(slots=True)
class Block:
    """Lines that belong together.

    Attributes:
        lines: the lines.
        rules: the rules that the entry breaks.
    """

    lines: list[str]
    rules: list[str] = field(default_factory=list)

    @property
    def day(self) -> date:
        """The day of the entry."""
        return date.fromisoformat(self.lines[0][:10])

    def with_day(self, day: date) -> list[str]:
        """Return the lines with another day."""
        return [f"{day}{self.lines[0][10:]}", *self.lines[1:]]


def plant(clean: str, seed: int = 1) -> tuple[str, dict[int, list[str]]]:
    """Return a ledger with faults, and the line of each faulty entry with the rules that it breaks."""
    rng = random.Random(seed)  # noqa: S311  no secret
    blocks = _blocks(clean)
    paid = [each for each in blocks if _is_paid(each)]
    rng.shuffle(paid)
    moved = [each for each in blocks if _is_moved(each)]
    rng.shuffle(moved)
    for rule, number in FAULTS.items():
        for count in range(number):
            if rule == "weekend":
                _weekend(moved.pop())
            elif rule in {"duplicate", "split"}:
                _added(rule, count, _chosen(rule, paid), blocks)
            else:
                _faulty(rule, count, _chosen(rule, paid), rng)
    planted, line, text = {}, 1, []
    for block in blocks:
        if block.rules:
            planted[line] = block.rules
        line += len(block.lines)
        text += block.lines
    return "\n".join(text) + "\n", planted


def _blocks(text: str) -> list[Block]:
    blocks: list[Block] = []
    for line in text.splitlines():
        if not line.startswith(" ") or not blocks:
            blocks.append(Block([]))
        blocks[-1].lines.append(line)
    return blocks


def _is_paid(block: Block) -> bool:
    return (
        _ENTRY.match(block.lines[0]) is not None
        and len(block.lines) == 3
        and CARD in block.lines[1]
        and any(account in block.lines[2] for account in ELSEWHERE)
    )


def _is_moved(block: Block) -> bool:
    """Say whether a block is a transfer or a salary on a working day. It can then be moved to the Saturday after it."""
    accounts = [line.split()[0] for line in block.lines[1:] if line.split()]
    return (
        _ENTRY.match(block.lines[0]) is not None
        and block.day.weekday() < 5
        and (all(each.startswith("Assets:US:") for each in accounts) or any(each.endswith(":Salary") for each in accounts))
    )


def _chosen(rule: str, paid: list[Block]) -> Block:
    """Take the next entry that can have a fault of this kind from the list, and return it."""
    for place in range(len(paid) - 1, -1, -1):
        if rule != "purpose" or "#" not in paid[place].lines[0]:
            return paid.pop(place)
    raise SystemExit("Error: the ledger has too few card payments for forty faults: give a longer one.")


def _weekend(block: Block) -> None:
    block.lines = block.with_day(block.day + timedelta(days=5 - block.day.weekday()))
    block.rules.append("weekend")


def _amount(line: str, amount: float) -> str:
    return re.sub(r"(-?)\d+\.\d\d", lambda found: f"{found[1]}{amount:.2f}", line)


def _added(rule: str, count: int, block: Block, blocks: list[Block]) -> None:
    """Plant the fault number `count` of a kind that adds entries after an existing one."""
    place = blocks.index(block)
    if rule == "duplicate":
        again = Block(block.with_day(block.day + timedelta(days=count % 3)), [rule])
        blocks[place + 1 : place + 1] = [Block([""]), again]
        return
    _, card, spent = block.lines
    payee, *narrations = SPLIT[count]
    much = 130 + 17 * count
    booked = spent.replace(spent.split()[0], "Expenses:Home:Phone" if payee == "Phone House" else "Expenses:Office")
    for days, narration in zip((0, 2 + count), narrations, strict=True):
        head = f'{block.day + timedelta(days=days)} * "{payee}" "{narration}"'
        blocks.insert(blocks.index(block), Block([head, _amount(card, much), _amount(booked, much)], [rule] if days else []))
        blocks.insert(blocks.index(block), Block([""]))


def _faulty(rule: str, count: int, block: Block, rng: random.Random) -> None:
    """Plant the fault number `count` of a kind that changes an entry."""
    head, card, spent = block.lines
    account, amount = spent.split()[:2]
    match rule:
        case "limit":
            much = 251 + rng.randrange(200)
            block.lines = [head, _amount(card, much), _amount(spent, much)]
        case "sum":
            block.lines = [head, card, _amount(spent, float(amount) + rng.choice([9, 0.9, -0.9, 10]))]
        case "category":
            block.lines = [head, card, spent.replace(account, ELSEWHERE[account][count % len(ELSEWHERE[account])])]
        case "private":
            payee, narration, booked = PRIVATE[count]
            block.lines = [f'{head[:10]} * "{payee}" "{narration}"', card, spent.replace(account, booked)]
        case _:
            block.lines = [re.sub(r'"[^"]*"$', f'"{VAGUE[count]}"', head), card, spent]
    block.rules.append(rule)


def main() -> None:
    """Plant the faults."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    clean, faulty, planted = map(Path, sys.argv[1:])
    if len({path.resolve() for path in (clean, faulty, planted)}) < len(sys.argv[1:]):
        sys.exit("Error: one of the files would overwrite another: give three names.")
    try:
        text, found = plant(clean.read_text(encoding="utf-8"))
        faulty.write_text(text, encoding="utf-8")
        planted.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        sys.exit(f"Error: {error.filename} cannot be read or written: {error.strerror}.")
    except UnicodeDecodeError:
        sys.exit(f"Error: {clean} is not UTF-8: give a ledger in the format of beancount.")


if __name__ == "__main__":
    main()
