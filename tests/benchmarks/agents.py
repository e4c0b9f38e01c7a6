"""An agent that sorts messages by a real small model at home, with and without a vote.

    python -m tests.benchmarks.agents --url http://127.0.0.1:8000/v1 --out tests/benchmarks/results/agents.json

`docs/real_model.md` says how the server is set up: Gemma 3 of 270 million weights, a base model, so its prompt ends where it
goes on. The messages and what is right were written for this; the model calls no tools, so what is voted on is the word that
it replies with (`text_key`), and a word that is none of the four is discarded. All samples are drawn at temperature .7.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from maker_graph import Undecided
from maker_graph.agents import VotingMiddleware
from maker_graph.agents.middleware import FLAGS
from maker_graph.core.red_flags import RedFlag, Sample

KINDS = ("refund", "delivery", "praise", "account")
EXAMPLES = [
    ("You charged me two times, please pay one back.", "refund"),
    ("Where is my parcel? It should be here since Monday.", "delivery"),
    ("Lovely shop, thank you so much!", "praise"),
    ("I forgot my password.", "account"),
    ("The jacket is torn, I want my money.", "refund"),
    ("Can I change my email address?", "account"),
    ("The courier left it in the rain.", "delivery"),
    ("Best tea I ever had.", "praise"),
]
MESSAGES = {
    "refund": [
        "I sent the shoes back two weeks ago and still have no money.",
        "The lamp arrived broken. Please return my 40 euros.",
        "I was billed for three, but ordered one.",
        "Cancel my order and pay me back.",
        "You took the amount from my card twice.",
        "This is not what I ordered, I want a refund.",
        "The discount was not applied, please give me the difference.",
        "How do I get my money for the returned coat?",
        "The concert was cancelled, so I want the price of the ticket.",
        "I paid and the shop says that I did not.",
    ],
    "delivery": [
        "My order has been on its way for ten days.",
        "The tracking number does not work.",
        "Can you bring it on Saturday instead?",
        "The driver never rang the bell.",
        "It was sent to my old street.",
        "When will the sofa come?",
        "Half of the boxes are missing.",
        "The parcel is at the wrong post office.",
        "Do you ship to Norway?",
        "Please leave it with my neighbour.",
    ],
    "praise": [
        "Your staff was so kind on the phone.",
        "The bread is wonderful.",
        "I will tell all my friends about you.",
        "Five stars, it fits perfectly.",
        "Thanks for the quick answer!",
        "My daughter loves the bicycle.",
        "What a beautiful wrapping.",
        "You saved my birthday.",
        "Never had such good service.",
        "It works better than I hoped.",
    ],
    "account": [
        "I cannot log in any more.",
        "Please delete my profile.",
        "How do I change my phone number here?",
        "The code that you sent has expired.",
        "Somebody else uses my login.",
        "I want to stop the newsletter.",
        "My name is spelled wrong on my page.",
        "The reset link leads nowhere.",
        "Can two people share one login?",
        "I never got the mail to confirm my address.",
    ],
}


def word_of(text: str) -> str:
    """Return the first word of a reply."""
    return next(iter(text.lower().replace(".", " ").split()), "")


def no_kind(sample: Sample) -> bool:
    """Say whether the first word of a reply is none of the kinds."""
    return word_of(str(json.loads(sample.text)["text"])) not in KINDS


def asked(message: str) -> str:
    """Return the prompt, which the model goes on with."""
    solved = "".join(f"Message: {text}\nKind: {kind}\n\n" for text, kind in EXAMPLES)
    return f"Each message is about one of: {', '.join(KINDS)}.\n\n{solved}Message: {message}\nKind:"


def worked(model: Any, k: int, within: int | None) -> dict[str, Any]:
    """Return what became of all messages."""
    flags: list[RedFlag] = [*FLAGS, no_kind]
    vote = VotingMiddleware(k=k, within=within, text_key=word_of, temperature=0.7, max_tokens=4, red_flags=flags)
    agent: Any = create_agent(model, [], middleware=[vote])
    wrong = passed = samples = flagged = 0
    for right, messages in MESSAGES.items():
        for message in messages:
            try:
                last = agent.invoke({"messages": [("user", asked(message))]})["messages"][-1]
            except Undecided as undecided:
                passed, samples, flagged = passed + 1, samples + undecided.samples, flagged + sum(undecided.flags.values())
                continue
            told = last.response_metadata["maker_graph"]
            wrong += word_of(str(last.text)) != right
            samples, flagged = samples + told["samples"], flagged + sum(told["flags"].values())
    number = sum(map(len, MESSAGES.values()))
    return {"messages": number, "wrong": wrong, "undecided": passed, "samples": samples, "flagged": flagged}


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    model = ChatOpenAI(model="gemma-3-270m", base_url=given.url, api_key="none", stop_sequences=["\n"])  # type: ignore[arg-type]  # a string will do
    found = {}
    for k, within in ((1, None), (2, None), (3, None), (3, 5), (3, 3)):
        name = f"k={k}" if within is None else f"k={k}, within={within}"
        found[name] = worked(model, k, within)
        print(name, found[name])
    if given.out is not None:
        given.out.write_text(
            json.dumps({"model": "Gemma 3, 270 million weights, 4 bits, base", "temperature": 0.7, **found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
