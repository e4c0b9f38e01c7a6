"""The replies to the prompts of the records task: by the rules in the prompt, and slips that are wrong."""

import json

import pytest

from maker_graph.models.simulation.records import RecordsRehearsal, normalised


@pytest.mark.parametrize(
    ("when", "date"),
    [("3.4.24", "2024-04-03"), ("2024-04-03", "2024-04-03"), ("3 April 2024", "2024-04-03"), ("03/04/1999", "1999-04-03")],
)
def test_dates_have_the_day_first(when: str, date: str) -> None:
    assert normalised("1 Elm St, 10115 Berlin", when, "$1")["date"] == date


@pytest.mark.parametrize(
    ("amount", "figure", "currency"),
    [("1.234,50 €", "1234.50", "EUR"), ("$1,234", "1234.00", "USD"), ("GBP 12.30", "12.30", "GBP"), ("£0,99", "0.99", "GBP")],
)
def test_amounts_have_two_decimals_and_a_currency(amount: str, figure: str, currency: str) -> None:
    found = normalised("1 Elm St, 10115 Berlin", "3.4.24", amount)
    assert (found["amount"], found["currency"]) == (figure, currency)


def test_an_address_is_taken_apart() -> None:
    found = normalised("12 B elm st., 10115 BERLIN", "3.4.24", "$1")
    assert [found[name] for name in ("street", "house_number", "postcode", "city")] == ["Elm Street", "12b", "10115", "Berlin"]


@pytest.mark.parametrize("when", ["3.4.24", "4.4.24", "30.4.24", "1.1.24"])
def test_no_slip_is_right(when: str) -> None:
    prompt = [("human", f"Address: 12 elm st, 10115 Berlin\nDate: {when}\nAmount: 1.234,50 €")]
    replies = RecordsRehearsal().replies(prompt)
    assert replies is not None
    assert all(json.loads(wrong) != json.loads(replies.right) for wrong in replies.wrong)


def test_a_record_that_cannot_be_read_is_called_so_and_other_prompts_are_left_alone() -> None:
    unread = RecordsRehearsal().replies([("human", "Address: ?\nDate: soon\nAmount: some")])
    assert unread is not None
    assert "cannot be read" in unread.right
    assert RecordsRehearsal().replies([("human", "Hello?")]) is None
    assert RecordsRehearsal().replies([]) is None
