"""The simulated server speaks and streams chat completions."""

import httpx
from langchain_openai import ChatOpenAI

from tests.models.simulation.test_simulator import PROMPT


def test_the_server_speaks_chat_completions(simulated_server: str) -> None:
    ask = {
        "model": "any",
        "messages": [{"role": "system", "content": PROMPT[0][1]}, {"role": "user", "content": PROMPT[1][1]}],
        "n": 3,
        "seed": 7,
    }
    with httpx.Client(base_url=simulated_server) as client:
        first = client.post("/chat/completions", json=ask).json()
        again = client.post("/chat/completions", json=ask).json()
        for cap in ("max_tokens", "max_completion_tokens"):
            cut = client.post("/chat/completions", json=ask | {cap: 5}).json()
            assert {choice["finish_reason"] for choice in cut["choices"]} == {"length"}
            assert cut["usage"]["completion_tokens"] == 15
        bad = client.post("/chat/completions", json={"model": "any", "messages": []})
        unknown = client.post("/chat/completions", json=ask | {"messages": [{"role": "user", "content": "Hello"}]})
        assert client.get("/models").json()["data"][0]["id"] == "gpt-4.1-mini"
    assert [choice["index"] for choice in first["choices"]] == [0, 1, 2]
    assert first["choices"] == again["choices"]
    assert first["usage"]["total_tokens"] == first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"]
    assert (bad.status_code, unknown.status_code) == (400, 400)
    assert "rehearsal" in unknown.json()["error"]["message"]


def test_the_server_streams(simulated_server: str, openai: str) -> None:
    assert openai
    model = ChatOpenAI(model="any", stream_usage=True, seed=7)  # seeded: an unseeded reply may be one that was cut short
    chunks = list(model.stream([("system", PROMPT[0][1]), ("user", PROMPT[1][1])]))
    assert "next_state" in "".join(str(chunk.text) for chunk in chunks)
    assert any(chunk.usage_metadata for chunk in chunks)
    assert simulated_server
