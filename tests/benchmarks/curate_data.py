"""Two tables whose right records are known, for the benchmarks of curate: prices as shops write them, and US addresses.

Both come from the package index, pinned, and are fetched once into a folder beside the system's temporary files; nothing of
them is part of this project.

- prices: the strings of price-parser 0.5.1's own tests (BSD-3), 1,176 of them. Its nine examples that hand the parser a
  decimal separator are left out: a row does not have it. Where a test says what stood in the page's currency element, that is
  the column `hint`, and the parser and the model see it alike. In 11 tests the text is a currency alone and the amount is
  given as 1, which nobody could read there: in these rows the amount is null. The currency is the one that is written.
- addresses: usaddress 0.5.16's training/labeled.xml (MIT), 1,513 addresses tagged by hand, word by word. usaddress's tagger was
  trained on them, so what it does here is better than what it does on addresses that it has not seen.

The two schemas are what a user would write: fields, and a rule that nothing is made up. Each has programs that answer first.
The simulated model is a small one: of its single valid samples about 78 % are right, and the errors of two samples of a row
have a correlation of .3, because each row has a difficulty of its own (from a Beta distribution, drawn by the row). What it
says when it is wrong are the mistakes that small models make on such rows. It is no evidence about any real model.
"""

import csv
import hashlib
import importlib
import json
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self
from xml.etree import ElementTree as ET

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from maker_graph.simulation import Replies

CACHE = Path(tempfile.gettempdir()) / "maker-graph-benchmarks"
PRICE_PARSER, USADDRESS = "price-parser==0.5.1", "usaddress==0.5.16"

ERROR, RHO = 0.22, 0.3
"""Of the simulated model: the share of its valid samples that is wrong, and the correlation of the errors within a row."""
MODEL = f"sim:perfect,error={ERROR},flagged=0.02,favourite=0.6,output_tokens=40,max_tokens=200"
LIST_PRICE = "0.1,0.4"
"""USD per million tokens of input and output: gpt-4.1-nano's list price."""


class Table(NamedTuple):
    """A table with its right records.

    Attributes:
        name: of it.
        schema: the name of the pydantic model.
        columns: of the input.
        rows: each the values of its columns.
        truths: the right records.
        programs: what it is -> the name of the function that answers first.
        mistakes: the row and its right record -> wrong records, the most likely first.
    """

    name: str
    schema: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    truths: Sequence[Mapping[str, Any]]
    programs: Mapping[str, str]
    mistakes: Callable[[Mapping[str, str], Mapping[str, Any]], Iterator[Mapping[str, Any]]]

    def write(self, folder: Path, places: Sequence[int] | None = None, name: str = "rows") -> tuple[Path, Path]:
        """Write the rows at `places`, and the same with their right records as labelled rows; return both files."""
        chosen = range(len(self.rows)) if places is None else places
        plain, labelled = folder / f"{self.name}-{name}.csv", folder / f"{self.name}-{name}-labelled.csv"
        for file, more in ((plain, ()), (labelled, tuple(self.truths[0]))):
            with file.open("w", encoding="utf-8", newline="") as out:
                lines = csv.writer(out)
                lines.writerow([*self.columns, *more, *(["status"] if more else [])])
                for place in chosen:
                    record = [self.truths[place][key] for key in more]
                    solved = ["" if each is None else each for each in record] + ["decided by person"] * bool(more)
                    lines.writerow([*self.rows[place].values(), *solved])
        return plain, labelled

    def rehearse(self) -> Callable[[Mapping[str, str]], Replies]:
        """Return what the simulated model may reply to a row."""
        known = {json.dumps(dict(row), sort_keys=True): truth for row, truth in zip(self.rows, self.truths, strict=True)}

        def replies(item: Mapping[str, str]) -> Replies:
            name = json.dumps({column: item[column] for column in self.columns}, sort_keys=True)
            right = dict(known[name])
            wrong = list(dict.fromkeys(json.dumps(each) for each in self.mistakes(item, right)))
            return Replies(json.dumps(right), [each for each in wrong if each != json.dumps(right)], difficulty(name))

        return replies


def difficulty(name: str) -> float:
    """Return how often the simulated model is wrong on a row: the same for all samples of it."""
    rng = random.Random(hashlib.sha256(name.encode()).digest())
    both = (1 - RHO) / RHO
    return rng.betavariate(ERROR * both, (1 - ERROR) * both)


class Price(BaseModel):
    """The price that a shop shows. Of several, the first one that is asked for now; null where the text has none."""

    model_config = ConfigDict(extra="forbid")

    amount: Decimal | None = Field(description="the number, with a point before its decimals and no other separators")
    currency: str | None = Field(description="the sign, code or word of the currency, exactly as it is written in the row")

    @model_validator(mode="after")
    def _is_in_the_row(self, info: ValidationInfo) -> Self:
        if info.context is None:
            return self
        text = " ".join(str(value) for value in info.context["row"].values())
        if self.currency is not None and self.currency not in text:
            raise ValueError("the currency is not written in the row")
        digits = "" if self.amount is None else re.sub(r"\D", "", f"{self.amount.normalize():f}").strip("0")
        if digits not in re.sub(r"\D", "", text):
            raise ValueError("the digits of the amount do not stand in the row")
        return self


PARTS = ("number", "street", "unit", "city", "state", "zip", "other")
_OF = {
    "AddressNumber": "number",
    "PlaceName": "city",
    "StateName": "state",
    "ZipCode": "zip",
    "OccupancyType": "unit",
    "OccupancyIdentifier": "unit",
    "SubaddressType": "unit",
    "SubaddressIdentifier": "unit",
    "USPSBoxType": "street",
    "USPSBoxID": "street",
}


class Address(BaseModel):
    """A US address in its parts: each word of the row belongs to one of them, without commas and semicolons at its ends.

    Parts that the row has not are empty. Post office boxes are streets. Recipients, buildings and the rest are other.
    """

    model_config = ConfigDict(extra="forbid")

    number: str = ""
    street: str = ""
    unit: str = Field("", description="suite, floor, apartment, with its number")
    city: str = ""
    state: str = ""
    zip: str = ""
    other: str = ""

    @model_validator(mode="after")
    def _keeps_the_words(self, info: ValidationInfo) -> Self:
        if info.context is not None:
            text = " ".join(str(value) for value in info.context["row"].values())
            if _words(" ".join(getattr(self, part) for part in PARTS)) != _words(text):
                raise ValueError("the words are not those of the row")
        return self


def _words(text: str) -> list[str]:
    return sorted(re.findall(r"\w+", text.lower()))


@cache
def prices() -> Table:
    """Return the prices."""
    sys.path.insert(0, str(fetched(PRICE_PARSER)))
    sys.path.insert(0, str(fetched(PRICE_PARSER) / "tests"))
    tests = importlib.import_module("test_price_parsing")
    names = sorted(name for name in dir(tests) if name.startswith("PRICE_PARSING") and "SEPARATOR" not in name)
    rows, truths = [], []
    for example in (each for name in names for each in getattr(tests, name)):
        text = example.price_raw or ""
        readable = example.amount is not None and (any(map(str.isdigit, text)) or "free" in text.lower())
        rows.append({"price": text, "hint": example.currency_raw or ""})
        truths.append({"amount": f"{example.amount.normalize():f}" if readable else None, "currency": example.currency})
    programs = {"price-parser": "price_program", "price-parser, a stricter rule": "careful_price_program"}
    return Table("prices", "Price", ("price", "hint"), rows, truths, programs, price_mistakes)


@cache
def addresses() -> Table:
    """Return the addresses."""
    rows, truths = [], []
    for address in ET.parse(fetched(USADDRESS) / "training" / "labeled.xml").getroot():  # noqa: S314  pinned
        words = [((token.text or "").strip(), token.tag) for token in address]
        rows.append({"address": " ".join(word for word, _ in words)})
        truths.append(_parts(words))
    programs = {"rules": "rules_for_addresses", "usaddress (trained on these)": "address_program"}
    return Table("addresses", "Address", ("address",), rows, truths, programs, address_mistakes)


def _parts(words: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the record of tagged words."""
    parts = dict.fromkeys(PARTS, "")
    for word, tag in words:
        name = "street" if tag.startswith("StreetName") else _OF.get(tag, "other")
        parts[name] = f"{parts[name]} {word.strip(',;')}".strip()
    return parts


def fetched(package: str) -> Path:
    """Return the folder with the source of a package, fetched from the index if it is not there yet."""
    name = package.replace("==", "-").replace("price-", "price_")
    if not (CACHE / name).is_dir():
        CACHE.mkdir(exist_ok=True)
        if not (CACHE / f"{name}.tar.gz").is_file():
            asked = ["download", "--no-deps", "--no-binary", ":all:", "--dest", str(CACHE), package]
            subprocess.run([sys.executable, "-m", "pip", *asked], check=True)
        with tarfile.open(CACHE / f"{name}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return CACHE / name


def price_program(row: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what price-parser reads; None without an amount, or without a currency where more than a number stands."""
    found = _parsed(row)
    if found.amount is None:
        return None
    if found.currency is None and re.search(r"[^\d\s.,'\-:]", row["price"] + row["hint"]):
        return None
    return {"amount": f"{found.amount.normalize():f}", "currency": found.currency}


def careful_price_program(row: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what price-parser reads, where there is one number, one currency, and no letter or sign beside them."""
    found, text = price_program(row), re.sub(r"\s", " ", row["price"])
    numbers = re.compile(r"\d[\d\s.,']*\d|\d")
    if found is None or len(numbers.findall(text)) != 1:
        return None
    sign = found["currency"]
    left = numbers.sub(" ", text).replace(sign or " ", " ")
    if sign and re.search(r"[$£€¥₹%]", left):
        return None
    place = text.find(sign) if sign else -1
    beside = text[max(0, place - 1) : place] + text[place + len(sign or "") :][:1] if place >= 0 else ""
    return None if re.search(r"[^\W\d_]", beside) else found


def _parsed(row: Mapping[str, str]) -> Any:
    if str(fetched(PRICE_PARSER)) not in sys.path:
        sys.path.insert(0, str(fetched(PRICE_PARSER)))
    return importlib.import_module("price_parser").Price.fromstring(row["price"] or None, row["hint"] or None)


def address_program(row: Mapping[str, str]) -> dict[str, str] | None:
    """Return how usaddress's tagger splits an address; None where it says itself that a part comes twice."""
    found = _tagged()[row["address"]]
    return None if found is None else _parts([(word, tag) for word, tag in found])


@cache
def _tagged() -> Mapping[str, Any]:
    """Return address -> its tagged words, of the tagger in an environment of its own; None where it is not sure."""
    file, home = CACHE / "usaddress-tagged.json", CACHE / "usaddress-venv"
    if not file.is_file():
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", USADDRESS], check=True)
        asked = json.dumps([row["address"] for row in addresses().rows])
        done = subprocess.run([home / "bin" / "python", "-c", _TAG], input=asked, capture_output=True, text=True, check=True)
        file.write_text(done.stdout, encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


_TAG = """
import json, sys, usaddress
found = {}
for text in json.load(sys.stdin):
    try:
        usaddress.tag(text)
        found[text] = usaddress.parse(text)
    except usaddress.RepeatedLabelError:
        found[text] = None
print(json.dumps(found))
"""

_STATES = re.compile(
    "al|ak|az|ar|ca|co|ct|de|fl|ga|hi|id|il|in|ia|ks|ky|la|me|md|ma|mi|mn|ms|mo|mt|ne|nv|nh|nj|nm|ny|nc|nd|oh|ok|or|pa|ri|sc|"
    "sd|tn|tx|ut|vt|va|wa|wv|wi|wy|dc"
)
_TYPES = re.compile(
    "street|st|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|place|pl|circle|cir|way|parkway|pkwy|highway|hwy|"
    "terrace|ter|trail|trl|square|sq|loop|pike"
)
_UNITS = re.compile("suite|ste|apt|unit|floor|fl|room|rm|#.*")
_SIDES = re.compile("n|s|e|w|ne|nw|se|sw|north|south|east|west")


def _is(kind: re.Pattern[str], word: str) -> bool:
    return kind.fullmatch(word.replace(".", "").lower()) is not None


def rules_for_addresses(row: Mapping[str, str]) -> dict[str, str] | None:
    """Return the parts of an address of the usual form, by hand-written rules; None for all others.

    The usual form: a house number, a street with its kind at the end and perhaps a side, perhaps a unit, a city, a state of two
    letters, perhaps a zip code. What stands after the kind, up to a comma, is a unit if it begins like one, else the city.
    """
    found = re.fullmatch(
        r"(\d+[A-Za-z]?) ([^,]+?)((?:, [^,]+){0,2}?)(?:,? ([A-Za-z]{2})\.?(?:,? (\d{5}(?:-\d{4})?))?)?", row["address"]
    )
    if found is None:
        return None
    number, first, middle, state, code = (each or "" for each in found.groups())
    if state and not _is(_STATES, state):
        return None
    words, parts = first.split(), [each.strip() for each in middle.split(",") if each.strip()]
    kinds = [place for place, word in enumerate(words) if _is(_TYPES, word)]
    if len(kinds) != 1 or kinds[0] == 0 or any(word[0].isdigit() and not word[-1].isalpha() for word in words[: kinds[0]]):
        return None
    last = kinds[0] + 1
    if last < len(words) and _is(_SIDES, words[last]):
        last += 1
    rest = [" ".join(words[last:]), *parts] if words[last:] else parts
    units = [each for each in rest if _is(_UNITS, each.split()[0])]
    cities = [each for each in rest if each not in units]
    odd = any(len(each.split()) > 2 for each in units) or any(char.isdigit() for each in cities for char in each)
    odd = odd or bool(cities) != bool(state)
    sided = any(_is(_SIDES, each.split()[0]) for each in cities)
    if odd or sided or len(words[0].strip(".")) == 1 or len(units) > 1 or len(cities) > 1:
        return None
    return {
        "number": number,
        "street": " ".join(words[:last]),
        "unit": "".join(units),
        "city": "".join(cities),
        "state": state,
        "zip": code,
        "other": "",
    }


def price_mistakes(row: Mapping[str, str], right: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a small model makes of a price: a separator read wrongly, another number, another currency, or none."""
    amount, currency, text = right["amount"], right["currency"], row["price"]
    numbers = [re.sub(r"[^\d.]", "", each.replace(",", ".")).strip(".") for each in re.findall(r"\d[\d.,]*", text)]
    others = [each for each in numbers if each and each.count(".") < 2 and Decimal(each) != Decimal(amount or "-1")]
    yield from ({**right, "amount": each} for each in others[:1])
    if currency and len(currency) > 1:
        yield {**right, "currency": currency[-1] if currency[-1] in "$.€£" else currency[:-1]}
    if amount and "." in amount:
        yield {**right, "amount": amount.replace(".", "")}
    elif amount and len(amount) > 3:
        yield {**right, "amount": f"{amount[:-3]}.{amount[-3:]}".rstrip("0").rstrip(".")}
    if currency is not None:
        yield {**right, "currency": None}
    if amount is not None:
        yield {**right, "amount": amount.partition(".")[0]}
        yield {**right, "amount": None}
    word = next(iter(re.findall(r"[^\W\d_]+", f"{text} {row['hint']}")), None)
    yield {**right, "currency": word if word != currency else "USD"}
    yield {**right, "currency": "USD"}
    yield {"amount": "1", "currency": None}


def address_mistakes(row: Mapping[str, str], right: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a small model makes of an address: a word too many in a part, or one too few, and zip codes turned around."""
    street, city, unit = right["street"].split(), right["city"].split(), right["unit"].split()
    if unit:
        yield {**right, "street": " ".join([*street, *unit]), "unit": ""}
    if len(city) > 1:
        yield {**right, "street": " ".join([*street, city[0]]), "city": " ".join(city[1:])}
    if len(street) > 1 and city:
        yield {**right, "street": " ".join(street[:-1]), "city": " ".join([street[-1], *city])}
    if right["other"]:
        yield {**right, "street": " ".join([*right["other"].split(), *street]), "other": ""}
    if len(street) > 1:
        yield {**right, "street": " ".join(street[:-1]), "unit": " ".join([street[-1], *unit])}
    if right["number"]:
        yield {**right, "number": "", "street": f"{right['number']} {right['street']}".strip()}
    yield {**right, "other": row["address"], **dict.fromkeys(PARTS[:-1], "")}
    yield {**right, "zip": right["zip"][::-1] or "10001"}
    yield {**right, "city": "", "other": "unknown"}
