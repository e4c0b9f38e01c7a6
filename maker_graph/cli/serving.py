"""`maker-graph simulate`: a simulated model behind HTTP."""

import socket
import sys
from typing import Annotated, Any

import typer

from maker_graph.cli.app import app, clear_errors
from maker_graph.errors import UsageError


@app.command(
    "simulate",
    epilog="Example:\n\n  maker-graph simulate --port 8900 --profile gpt-4.1-mini\n\n"
    "  OPENAI_BASE_URL=http://127.0.0.1:8900/v1 OPENAI_API_KEY=any maker-graph run hanoi --model openai:gpt-4.1-mini\n\n"
    "  maker-graph simulate --faults 429=.3,5xx=.05,hang=.02,reset=.01,cut=.01,html=.01,empty=.01,retry-after=2",
)
def simulate_command(
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 8900,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    profile: Annotated[str, typer.Option(help="As behind sim: in --model.")] = "gpt-4.1-mini",
    seed: Annotated[int, typer.Option(help="Sets which steps are hard, and which requests fail.")] = 0,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="FAULT=SHARE,...",
            help="Shares of requests that get 429, 5xx, hang, reset, cut, html or empty; retry-after=SECONDS (1) and "
            "hang-seconds=SECONDS (3600) say how. GET /v1/faults counts them.",
        ),
    ] = None,
) -> None:
    """Serve a simulated model as an OpenAI-compatible server (chat completions)."""
    import uvicorn  # noqa: PLC0415  no other command serves anything

    from maker_graph.simulation import Simulator, profile_of  # noqa: PLC0415  a real run knows nothing of the simulation
    from maker_graph.simulation.faults import FaultyServer, ReachableConnection, parse_faults  # noqa: PLC0415  the same
    from maker_graph.simulation.server import create_app  # noqa: PLC0415  the same

    with clear_errors():
        server: Any = create_app(Simulator(profile_of(profile), seed=seed))
        protocol: Any = "auto"
        if faults is not None:
            server, protocol = FaultyServer(server, parse_faults(faults), seed=seed), ReachableConnection
        try:
            listener = socket.create_server((host, port))
        except OSError as error:
            raise UsageError(f"Port {port} of {host} cannot be used ({error.strerror}): give another --port.") from None
        typer.echo(f"Serving sim:{profile} on http://{host}:{listener.getsockname()[1]}/v1")
        sys.stdout.flush()
        config = uvicorn.Config(server, http=protocol, log_level="warning", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])
