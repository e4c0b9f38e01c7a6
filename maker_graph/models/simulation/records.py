"""Replies to the prompts of the records task, made from the prompt alone."""

import json
import re
from datetime import date

from maker_graph.models.simulation.rehearsal import Messages, Replies

_FIELDS = re.compile(r"^Address: (?P<address>.*)\nDate: (?P<date>.*)\nAmount: (?P<amount>.*)$", re.MULTILINE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_KINDS = {"st": "Street", "str": "Street", "ave": "Avenue", "rd": "Road", "ln": "Lane"}
_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}


class RecordsRehearsal:
    """Normalises the record, or makes a slip: day and month swapped, thousands taken for decimals, a wrong currency."""

    def replies(self, prompt: Messages, /) -> Replies | None:
        """Return the replies to a records prompt; None for any other prompt."""
        match = _FIELDS.search(prompt[-1][1]) if prompt else None
        if match is None:
            return None
        try:
            right = normalised(match["address"], match["date"], match["amount"])
        except (LookupError, ValueError, StopIteration):
            return Replies("This record cannot be read.", ["I do not know."])
        year, month, day = right["date"].split("-")
        swapped = f"{year}-{day}-{month}" if int(day) <= 12 and day != month else f"{year}-{month}-01"
        if swapped == right["date"]:
            swapped = f"{year}-{month}-02"
        wrong = (
            {"date": swapped},
            {"amount": right["amount"].replace(".", "") + ".00"},
            {"currency": "CHF"},
            {"city": right["city"].upper()},
        )
        return Replies(
            json.dumps(right, ensure_ascii=False),
            [json.dumps(right | slip, ensure_ascii=False) for slip in wrong],
        )


def normalised(address: str, when: str, amount: str) -> dict[str, str]:
    """Return the columns of a record, by the rules in the prompt.

    >>> normalised("12 B elm st., 10115 BERLIN", "3.4.24", "1.234,5 €")["house_number"]
    '12b'
    """
    return {**_address(address), "date": _date(when), **_amount(amount)}


def _address(text: str) -> dict[str, str]:
    postcode = re.search(r"\b[0-9]{5}\b", text)
    rest = text.replace(postcode[0], " ") if postcode else text
    parts = [part.strip(" ,;/") for part in re.split(r"[,;/]", rest) if part.strip(" ,;/")]
    street = next(part for part in parts if re.search(r"[0-9]", part))
    city = next((part for part in parts if part != street), "")
    number = re.search(r"\b([0-9]+)\s?([A-Za-z]?)\b(?!\w)", street)
    name = street.replace(number[0], " ") if number else street
    return {
        "street": _title(name),
        "house_number": (number[1] + number[2].lower()) if number else "",
        "postcode": postcode[0] if postcode else "",
        "city": _title(city),
    }


def _title(text: str) -> str:
    words = [word.strip(".").lower() for word in text.split()]
    return " ".join(_KINDS.get(word, word.title()) for word in words)


def _date(text: str) -> str:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
        return text.strip()
    words = [word for word in re.split(r"[\s.,/-]+", text) if word]
    month = next((_MONTHS.index(word[:3].lower()) + 1 for word in words if word[:3].lower() in _MONTHS), None)
    numbers = [int(word) for word in words if word.isdigit()]
    day, month, year = (numbers[0], month, numbers[1]) if month else (numbers[0], numbers[1], numbers[2])
    return date(year if year > 99 else 2000 + year, month, day).isoformat()


def _amount(text: str) -> dict[str, str]:
    code = re.search(r"USD|EUR|GBP", text.upper())
    sign = re.search(r"[$€£]", text)
    currency = code[0] if code else _CURRENCIES[sign[0]] if sign else ""
    figure = re.sub(r"[^0-9.,]", "", text).strip(".,")
    decimal = re.search(r"[.,]([0-9]{2})$", figure)
    whole = re.sub(r"[.,]", "", figure[: decimal.start()] if decimal else figure)
    return {"amount": f"{int(whole)}.{decimal[1] if decimal else '00'}", "currency": currency}
