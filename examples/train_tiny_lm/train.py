"""Train the tiny language model from scratch, on the prompts of Hanoi and their right replies.

    pip install -r examples/train_tiny_lm/requirements.txt
    python examples/train_tiny_lm/train.py

Each example is a prompt of `maker_graph.tasks.Hanoi` at a random step, read as the model reads it
(`models/tiny_lm/tokenizer.py`), and the right reply. Nothing tells the model the rule, and no reply is wrong, so it errs only
where it has not learned. Every seventh step is never shown (`held_out`). These steps show whether it has learned the rule or
the answers.

The model is a decoder-only transformer. Each position starts from its token and the two before it, positions are rotary, and
norms have no gain. The hidden layer is ReLU6, because `models/tiny_lm/network.py` needs sums with a bound. Weights and figures
are written after every evaluation, so training can be stopped at any time.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from maker_graph.models.tiny_lm.tokenizer import END, PAD, VOCABULARY, encode, window
from maker_graph.tasks import Hanoi

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "maker_graph" / "models" / "tiny_lm" / "weights.npz"
PEGS = [(source, target) for source in range(3) for target in range(3) if source != target]
DISKS = {3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 2, 9: 2, 10: 3, 11: 1, 12: 1}
"""How often each number of disks is shown."""

ANY_DISK = 0.1
"""The share of examples in which all disks move equally often. At random steps the largest of ten moves once in 1,023."""

REPHRASED = 0.25
"""The share of batches that ask in other words, as the ladder does for a stuck step."""

GRID = 1024
"""Weights are multiples of 1/1024 below 2. So they are exact in float16, and so are the sums in which they appear."""


class Batch(NamedTuple):
    """Prompts that end at the same place, and the replies after them.

    Attributes:
        tokens: (batch, length); prompts are padded at their beginning, replies at their end.
        prompt: the length of the prompts; the last token of each marks that the reply follows.
        target: (batch, length of the replies); the next token at each position from there on, or `PAD` if there is
            none.
    """

    tokens: Tensor
    prompt: int
    target: Tensor


def held_out(disks: int, step: int) -> bool:
    """Say whether a step is never trained on."""
    return disks >= 5 and step % 7 == 5


def drawn_step(disks: int, chance: random.Random) -> int:
    """Return a random step that may be shown. For a share `ANY_DISK` of them, each disk is equally likely to move."""
    while True:
        step = chance.randrange(2**disks - 1)
        if chance.random() < ANY_DISK:
            moving = chance.randrange(disks)
            step = (2 * chance.randrange(2 ** (disks - 1 - moving)) + 1) * 2**moving - 1
        if not held_out(disks, step):
            return step


def example(task: Hanoi, step: int, *, rephrased: bool = False) -> tuple[list[int], list[int]]:
    """Return what the model reads at `step`, and the right reply to it."""
    state = task.state_at(step)
    prompt: Any = task.rephrase(state, 1) if rephrased else task.prompt(state)
    right = task.truth(state)
    reply = f"move = {right['move']}\nnext_state = {right['next_state']}"
    return window(prompt[-1][1]), [*encode(reply), END]


def collate(examples: Sequence[tuple[list[int], list[int]]]) -> Batch:
    """Return `examples` as one batch."""
    prompt = max(len(read) for read, _ in examples)
    reply = max(len(right) for _, right in examples)
    tokens = np.full((len(examples), prompt + reply - 1), PAD)
    target = np.full((len(examples), reply), PAD)
    for row, (read, right) in enumerate(examples):
        tokens[row, prompt - len(read) : prompt] = read
        tokens[row, prompt : prompt + len(right) - 1] = right[:-1]
        target[row, : len(right)] = right
    return Batch(torch.from_numpy(tokens), prompt, torch.from_numpy(target))


def batches(size: int, seed: int) -> Iterator[Batch]:
    """Yield random batches, without end."""
    chance = random.Random(seed)  # noqa: S311  data, no secret
    tasks = {(n, s, t): Hanoi(n, source=s, target=t) for n in DISKS for s, t in PEGS}

    def drawn(*, rephrased: bool) -> tuple[list[int], list[int]]:
        (disks,) = chance.choices(list(DISKS), list(DISKS.values()))
        task = tasks[(disks, *chance.choice(PEGS))]
        step = drawn_step(disks, chance)
        return example(task, step, rephrased=rephrased)

    while True:
        rephrased = chance.random() < REPHRASED
        yield collate([drawn(rephrased=rephrased) for _ in range(size)])


class Tiny(nn.Module):  # type: ignore[misc, unused-ignore]  # torch is not a requirement of the checks
    """The model."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.embed = nn.ParameterList(nn.Parameter(torch.randn(len(VOCABULARY), width) * 0.5) for _ in range(3))
        self.attend = nn.ParameterList(nn.Parameter(torch.randn(width, 3 * width) * width**-0.5) for _ in range(layers))
        self.merge = nn.ParameterList(nn.Parameter(torch.randn(width, width) * 0.3 * width**-0.5) for _ in range(layers))
        self.widen = nn.ParameterList(nn.Parameter(torch.randn(width, 4 * width) * width**-0.5) for _ in range(layers))
        self.narrow = nn.ParameterList(nn.Parameter(torch.randn(4 * width, width) * 0.3 * width**-0.5) for _ in range(layers))
        self.unembed = nn.Parameter(torch.randn(width, len(VOCABULARY)) * width**-0.5)

    def forward(self, tokens: Tensor, prompt: int) -> Tensor:
        """Return the logits of the tokens after each position from the end of the prompts on."""
        length = tokens.shape[1]
        earlier = [functional.pad(tokens, (back, 0), value=PAD)[:, :length] for back in range(3)]
        x = sum(table[each] for table, each in zip(self.embed, earlier, strict=True))
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        seen = causal & ((tokens != PAD)[:, None, None, :] | torch.eye(length, dtype=torch.bool))
        turn = rotation(length, x.shape[-1] // self.heads)
        last = len(self.attend) - 1
        for layer, (attend, merge, widen, narrow) in enumerate(
            zip(self.attend, self.merge, self.widen, self.narrow, strict=True)
        ):
            query, key, value = (self.split(part) for part in (normed(x) @ attend).chunk(3, dim=-1))
            query, key = turned(query, turn), turned(key, turn)
            if layer == last:  # from here on, only the keys and values of the prompt are needed
                query, seen, x = query[:, :, prompt - 1 :], seen[:, :, prompt - 1 :], x[:, prompt - 1 :]
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
            x = x + mixed.transpose(1, 2).flatten(2) @ merge
            x = x + functional.relu6(normed(x) @ widen) @ narrow
        return normed(x) @ self.unembed

    def split(self, x: Tensor) -> Tensor:
        """Return x as (batch, heads, length, width of a head)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def normed(x: Tensor) -> Tensor:
    """Return x, scaled so that each position has a mean square of 1."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


def rotation(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the angle of each position and pair, (length, width / 2)."""
    speed = 1000.0 ** (-torch.arange(width // 2) / (width // 2))
    angle = torch.arange(length)[:, None] * speed
    return angle.cos(), angle.sin()


def turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Return x with each pair turned by its angle."""
    cosine, sine = turn
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def log_likelihood(model: Tiny, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return, for each example, the log of the share of right samples at temperature 1, and whether the likeliest is right."""
    logits = model(batch.tokens, batch.prompt)
    counted = batch.target != PAD
    each = functional.log_softmax(logits, -1).gather(-1, batch.target[..., None])[..., 0]
    greedy = ((logits.argmax(-1) == batch.target) | ~counted).all(-1)
    return (each * counted).sum(-1), greedy


def evaluated(model: Tiny, count: int = 48, seed: int = 1) -> dict[str, Any]:
    """Return the share of samples that are not right, by disks, at temperature 1; it is exact for the steps drawn."""
    chance = random.Random(seed)  # noqa: S311  data, no secret
    result = {}
    for disks in DISKS:
        tasks = [Hanoi(disks, source=s, target=t) for s, t in PEGS]
        drawn = [(chance.choice(tasks), chance.randrange(2**disks - 1)) for _ in range(count)]
        with torch.no_grad():
            right, _ = log_likelihood(model, collate([example(task, step) for task, step in drawn]))
        result[str(disks)] = round(1 - right.exp().mean().item(), 4)
    return result


def write(model: Tiny, path: Path) -> None:
    """Write the weights as plain arrays of float16, on the grid that the inference adds up exactly."""
    names = ("embed", "attend", "merge", "widen", "narrow")
    arrays = {name: torch.stack(list(getattr(model, name))) for name in names} | {"unembed": model.unembed}
    most = 2 - 1 / GRID
    grid = {name: (array.detach().clamp(-most, most) * GRID).round() / GRID for name, array in arrays.items()}
    partial = path.with_suffix(".part.npz")
    np.savez(partial, heads=np.array(model.heads), **{name: array.numpy().astype(np.float16) for name, array in grid.items()})
    partial.replace(path)


def main() -> None:
    """Train, and write weights and figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3400)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="a second one helps on an idle machine only")
    parser.add_argument("--every", type=int, default=400, help="steps between evaluations")
    parser.add_argument("--checkpoints", type=Path, help="a folder that keeps the weights of every evaluation")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--figures", type=Path, default=HERE / "figures.json")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    model = Tiny(options.width, options.layers, options.heads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01)
    pace = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * max(0.02, 1 - step / options.steps)
    )
    began = time.perf_counter()
    curve: list[dict[str, Any]] = []
    recent: list[float] = []
    for step, batch in zip(range(1, options.steps + 1), batches(options.batch, options.seed), strict=False):
        logits = model(batch.tokens, batch.prompt)
        loss = functional.cross_entropy(logits.flatten(0, 1), batch.target.flatten(), ignore_index=PAD)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        pace.step()
        optimizer.zero_grad(set_to_none=True)
        recent.append(loss.item())
        if step % options.every == 0 or step == options.steps:
            minutes = round((time.perf_counter() - began) / 60, 1)
            loss_of_late = round(float(np.mean(recent)), 5)
            curve.append({"step": step, "loss": loss_of_late, "not_right": evaluated(model), "minutes": minutes})
            recent.clear()
            print(json.dumps(curve[-1]), flush=True)
            write(model, options.weights)
            if options.checkpoints is not None:
                write(model, options.checkpoints / f"{step}.npz")
            publish(options.figures, described(options, model, curve))


def described(options: argparse.Namespace, model: Tiny, curve: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of the training: the data, and the loss by step."""
    sizes = {name: getattr(options, name) for name in ("steps", "batch", "rate", "width", "layers", "heads", "seed", "threads")}
    return {
        "command": "python examples/train_tiny_lm/train.py",
        "options": sizes,
        "parameters": sum(each.numel() for each in model.parameters()),
        "data": {
            "examples_seen": curve[-1]["step"] * options.batch,
            "disks": {str(disks): weight for disks, weight in DISKS.items()},
            "pegs": len(PEGS),
            "any_disk_moves": ANY_DISK,
            "rephrased": REPHRASED,
            "held_out": "every seventh step, from 5 disks on",
        },
        "loss": "cross entropy of a token of the reply, in nats, mean since the point before",
        "not_right": "share of samples at temperature 1 that are not the right reply, by number of disks",
        "curve": curve,
    }


def publish(path: Path, training: dict[str, Any]) -> None:
    """Write the figures of the training into the file, beside those of `measure.py`."""
    figures = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**figures, "training": training}, indent=1) + "\n")


if __name__ == "__main__":
    main()
