"""An OpenAI-compatible server for a model of this package, to try a run with a real client."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal, Protocol
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from maker_graph.errors import UsageError
from maker_graph.models.simulation.rehearsal import Messages
from maker_graph.models.simulation.simulator import Reply


class Served(Protocol):
    """The model behind the server."""

    @property
    def name(self) -> str:
        """Return the name of the model."""
        ...

    async def serve(
        self, prompt: Messages, /, *, seed: int | None, temperature: float | None, max_tokens: int | None, stop: Sequence[str]
    ) -> Reply:
        """Return one sample of `prompt` after its latency. None leaves a setting to the model, and the seed to chance.

        Raises:
            UsageError: the prompt cannot be answered.
        """
        ...


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str = ""


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow")
    role: str
    content: str | list[_Part] | None = None

    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class _Ask(BaseModel):
    """The body of POST /v1/chat/completions, as far as the server knows it; other fields are ignored."""

    model_config = ConfigDict(extra="allow")
    model: str
    messages: Annotated[list[_Message], Field(min_length=1)]
    n: Annotated[int, Field(ge=1, le=128)] = 1
    seed: int | None = None
    temperature: Annotated[float | None, Field(ge=0)] = None
    stop: str | list[str] | None = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None
    stream: bool = False


_ROLES: dict[str, str] = {"user": "human", "assistant": "ai", "developer": "system"}


def create_app(model: Served) -> Starlette:
    """Return an ASGI app that serves `model` under /v1/chat/completions and /v1/models, for any model name in a request."""

    async def models(request: Request) -> Response:  # noqa: ARG001  Starlette's signature
        return JSONResponse({"object": "list", "data": [{"id": model.name, "object": "model", "owned_by": "maker-graph"}]})

    async def completions(request: Request) -> Response:
        try:
            ask = _Ask.model_validate_json(await request.body())
            replies = await _replies(model, ask)
        except (ValidationError, UsageError) as error:
            problem = {"message": str(error), "type": "invalid_request_error", "param": None, "code": None}
            return JSONResponse({"error": problem}, status_code=400)
        head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": ask.model}
        if ask.stream:
            return StreamingResponse(_chunks(head, replies), media_type="text/event-stream")
        choices = [_choice(number, reply) for number, reply in enumerate(replies)]
        return JSONResponse({**head, "object": "chat.completion", "choices": choices, "usage": _usage(replies)})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
        ]
    )


async def _replies(model: Served, ask: _Ask) -> list[Reply]:
    prompt = [(_ROLES.get(message.role, message.role), message.text()) for message in ask.messages]
    cap = ask.max_completion_tokens or ask.max_tokens
    stop = [ask.stop] if isinstance(ask.stop, str) else ask.stop or []
    seeds = [None if ask.seed is None else ask.seed + number for number in range(ask.n)]
    return await asyncio.gather(
        *(model.serve(prompt, seed=seed, temperature=ask.temperature, max_tokens=cap, stop=stop) for seed in seeds)
    )


def _choice(number: int, reply: Reply) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": None if reply.refusal else reply.text,
        "refusal": reply.refusal,
    }
    return {"index": number, "message": message, "finish_reason": reply.finish, "logprobs": None}


def _usage(replies: list[Reply]) -> dict[str, Any]:
    read, written = replies[0].input_tokens, sum(reply.output_tokens for reply in replies)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def _chunks(head: dict[str, Any], replies: list[Reply]) -> AsyncIterator[str]:
    """Yield each reply as one chunk, then the usage, then the end."""

    def event(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> str:
        body = {**head, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
        return f"data: {json.dumps(body)}\n\n"

    for number, reply in enumerate(replies):
        delta = _choice(number, reply)["message"]
        end: Literal["stop", "length"] = reply.finish
        yield event([{"index": number, "delta": delta, "finish_reason": None}])
        yield event([{"index": number, "delta": {}, "finish_reason": end}])
    yield event([], _usage(replies))
    yield "data: [DONE]\n\n"
