"""`maker-graph simulate`: serve a simulated model, or the tiny one, over HTTP."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maker_graph.cli.app import app
from maker_graph.cli.output import say
from maker_graph.errors import UsageError

if TYPE_CHECKING:
    from maker_graph.models.simulation import Messages, Reply
    from maker_graph.models.simulation.server import Served


@app.command(
    "simulate",
    epilog="Examples, the second one in another terminal:\n\n  maker-graph simulate --port 8900 --profile gpt-4.1-mini\n\n"
    "  OPENAI_BASE_URL=http://127.0.0.1:8900/v1 OPENAI_API_KEY=any maker-graph run hanoi --model openai:gpt-4.1-mini\n\n"
    "  maker-graph simulate --faults 429=.3,5xx=.05,hang=.02,reset=.01,cut=.01,html=.01,empty=.01,retry-after=2",
)
def simulate_command(
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 8900,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    model: Annotated[
        str | None,
        typer.Option(
            help="sim:PROFILE, or tiny for the small language model that comes with the package.",
            show_default="sim:gpt-4.1-mini",
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Short for --model sim:PROFILE.")] = None,
    seed: Annotated[int, typer.Option(help="The seed that sets which steps are hard, and which requests fail.")] = 0,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="FAULT=SHARE,...",
            help="Faults on purpose, with the share of the requests that get each: 429, 5xx, hang, reset, cut, html or "
            "empty. retry-after=SECONDS is what a 429 says (default 1), hang-seconds=SECONDS how long a hang lasts (default "
            "3600). GET /v1/faults counts the faults.",
        ),
    ] = None,
) -> None:
    """Serve a simulated model, or the tiny one, with OpenAI's API (chat completions), to try a program without a real model.

    Ctrl-C ends it.
    """
    import socket

    import uvicorn

    from maker_graph.models.simulation.faults import FaultyServer, ReachableConnection, parse_faults
    from maker_graph.models.simulation.server import create_app

    served = _served(model, profile, seed)
    server: Any = create_app(served)
    protocol: Any = "auto"
    if faults is not None:
        server, protocol = FaultyServer(server, parse_faults(faults), seed=seed), ReachableConnection
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        why = (error.strerror or "no such address").partition(" (")[0]
        raise UsageError(f"Port {port} of {host} cannot be used ({why}): give another --port, or another --host.") from None
    say(f"Serving {model or f'sim:{served.name}'} on http://{host}:{listener.getsockname()[1]}/v1")
    config = uvicorn.Config(server, http=protocol, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def _served(model: str | None, profile: str | None, seed: int) -> "Served":
    """Return the model that `--model` or `--profile` names.

    Raises:
        UsageError: both are given, or there is no such model here.
    """
    from maker_graph.models.simulation import Simulator, profile_of

    if model is not None and profile is not None:
        raise UsageError("--profile is short for --model sim:PROFILE: give one of them.")
    if model == "tiny":
        return ServedTiny()
    provider, _, name = (model or f"sim:{profile or 'gpt-4.1-mini'}").partition(":")
    if provider != "sim" or not name:
        raise UsageError(f"--model must be sim:PROFILE or tiny, not {model}.")
    return Simulator(profile_of(name), seed=seed)


class ServedTiny:
    """The tiny language model, in the form that the server needs."""

    name = "tiny"

    async def serve(
        self, prompt: "Messages", /, *, seed: int | None, temperature: float | None, max_tokens: int | None, stop: Sequence[str]
    ) -> "Reply":
        """Return one sample of `prompt`; it never refuses."""
        import asyncio

        from maker_graph.models.simulation import Reply
        from maker_graph.models.tiny_lm import TinyChatModel

        model = TinyChatModel(temperature=temperature, max_tokens=max_tokens)
        reply = await asyncio.wrap_future(model.ask(prompt[-1][1], seed=seed, stop=stop))
        return Reply(
            text=reply.text,
            finish=reply.finish,
            refusal=None,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            seconds=0.0,
        )
