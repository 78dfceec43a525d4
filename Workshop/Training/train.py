"""Trains one model of the family.

Matrices of the blocks learn by Muon (momentum, orthogonalised by Newton and Schulz's iteration), embeddings and norms
by Adam. The rate rises, stays, and falls linearly to zero; the schedule runs on the clock (`--minutes`), so that a
finished model exists at a given time however busy the machine is; the log says what was done at each step.
Run again with the same --work folder, it continues from the last checkpoint; SIGTERM to the process makes it write one and
end. `--from` starts a fresh model from the weights of another (a checkpoint, or what `grow.py` writes).

It learns either windows of running text (`--books`, `--stories`) or whole conversations (`--pairs`, made by `exchange.py`),
of which only the assistant's words count. There `--choices-until` lets only the tokens that are ever a target compete in
the softmax for the first part of the schedule: the output projection is a fifth of the arithmetic, and nearly all of it is
for words that sums do not have. The last part sets all 4,096 right.

With `--workers 2`, two processes of one thread each share a step's rows and add their gradients. On a busy machine that
is faster than one process of two threads, whose threads wait for each other at every operation.
"""
import argparse
import csv
import json
import os
import signal
import time

import numpy as np
import torch
import torch.distributed as dist

import data
import exchange
import texts
from model import FAMILY, Llama

HERE = os.path.dirname(os.path.abspath(__file__))


def orthogonalise(g, rounds=5):
    """Singular values of each matrix of the stack g [n, rows, columns] brought close to 1."""
    tall = g.shape[1] > g.shape[2]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


class Muon:
    """Matrices of one shape are stacked, so that each round is one batched product; workers share the stacks out."""

    def __init__(self, parameters, rank, workers, momentum=0.95, decay=0.02):
        self.momentum, self.decay, self.groups = momentum, decay, {}
        self.rank, self.workers = rank, workers
        for p in parameters:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.buffers = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, rate):
        updates = []
        for shape, ps in self.groups.items():
            g, m = torch.stack([p.grad for p in ps]), self.buffers[shape]
            m.lerp_(g, 1 - self.momentum)
            g = g.lerp(m, self.momentum)
            mine = slice(self.rank, None, self.workers)
            update = torch.zeros_like(g)
            update[mine] = orthogonalise(g[mine]) * max(1.0, shape[0] / shape[1]) ** 0.5
            updates.append(update)
        flat = torch.cat([u.flatten() for u in updates])
        if self.workers > 1:
            dist.all_reduce(flat)
        pieces = flat.split([p.numel() for ps in self.groups.values() for p in ps])
        for p, piece in zip((p for ps in self.groups.values() for p in ps), pieces):
            p.mul_(1 - rate * self.decay).add_(piece.view_as(p), alpha=-rate)


class Windows:
    """Windows of running text, every token learnt. `step` gives all workers' parts, the tokens in them, the length shown."""

    def __init__(self, o, say):
        tokenizer = exchange.tokenizer()
        learn, measure = texts.corpus(o.books, o.stories, o.lower)
        weights = {part.split(":")[0]: float(part.split(":")[1]) for part in o.mix.split(",")}
        groups = {name: data.encode(tokenizer, learn[name]) for name in weights}
        for name in weights:
            say(f"{name}: {len(groups[name][0])} tokens, {len(groups[name][1]) - 1} documents")
        self.mixture, self.o, self.held = data.Mixture(groups, weights, o.seed), o, {}
        self.lengths = [(float(a), int(b)) for a, b in (part.split(":") for part in o.lengths.split(","))]
        for short, name in (("stories", "TinyStories, last 116 stories"), ("oz", "The Marvelous Land of Oz")):
            stream = data.Stream(*data.encode(tokenizer, measure[name]), seed=0)
            self.held[short] = torch.from_numpy(np.stack([stream.window(256) for _ in range(32)]).astype(np.int64))

    def prepare(self, network):
        self.network, self.compiled = network, torch.compile(network) if self.o.compile else network

    def step(self, number, share):
        length = [b for a, b in self.lengths if share >= a][-1]
        self.rows = self.o.tokens // length
        batch = torch.from_numpy(self.mixture.batch(number, self.rows, length))
        return batch.split(max(1, self.o.micro // length)), self.rows * length, length

    def loss(self, part, share):
        # a new shape would be compiled anew: minutes
        forward = self.compiled if part.shape[1] == self.lengths[0][1] + 1 else self.network
        return forward(part[:, :-1], part[:, 1:]) * (len(part) / self.rows)

    def measure(self, share):
        return [sum(self.network(p[:, :-1], p[:, 1:]).item() * len(p) for p in h.split(8)) / len(h)
                for h in self.held.values()]

    def state(self):
        return {name: stream.state() for name, stream in self.mixture.streams.items()}

    def restore(self, saved):
        for name, state in saved.items():
            self.mixture.streams[name].restore(state)


class Conversations:
    """Whole conversations; only the assistant's words are learnt."""

    def __init__(self, o):
        self.o, self.source, self.held = o, exchange.Exchanges(o.pairs, o.seed), {}
        if o.held:
            apart = exchange.Exchanges(o.held, seed=0)
            self.held["conversations"] = [tuple(map(torch.from_numpy, part)) for part in apart.take(16, o.micro)]
        self.choices = torch.from_numpy(self.source.used())

    def prepare(self, network):
        self.network = network
        self.features = torch.compile(network.features, dynamic=True) if self.o.compile else network.features

    def step(self, number, share):
        taken = self.source.take(self.o.tokens // self.o.micro, self.o.micro)
        parts = [tuple(map(torch.from_numpy, part)) for part in taken]
        self.learnt = sum((targets >= 0).sum().item() for _, targets in parts)
        return parts, sum(tokens.numel() for tokens, _ in parts), parts[0][0].shape[1]

    def competing(self, share):
        return self.choices if share < self.o.choices_until else None

    def loss(self, part, share):
        tokens, targets = part
        return self.network.summed(self.features(tokens), targets, self.competing(share)) / self.learnt

    def measure(self, share):
        parts = self.held.get("conversations", [])
        total = sum(self.network.summed(self.network.features(a), b, self.competing(share)).item() for a, b in parts)
        return [total / sum((b >= 0).sum().item() for _, b in parts)] if parts else []

    def state(self):
        return self.source.state()

    def restore(self, saved):
        self.source.restore(saved)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(FAMILY))
    parser.add_argument("--books")
    parser.add_argument("--stories")
    parser.add_argument("--lower")
    parser.add_argument("--pairs", help="conversations to learn from, a file of exchange.py")
    parser.add_argument("--held", help="conversations kept apart, a file of exchange.py")
    parser.add_argument("--choices-until", type=float, default=0.0, help="share of the schedule; 1: always")
    parser.add_argument("--work", required=True, help="folder for checkpoints; a run continues what it finds there")
    parser.add_argument("--log", required=True, help="CSV, one line a report")
    parser.add_argument("--minutes", type=float, required=True, help="length of the whole schedule")
    parser.add_argument("--mix", default="stories:5,restored:4,children:1", help="group:weight,…")
    parser.add_argument("--tokens", type=int, default=2048, help="tokens a step")
    parser.add_argument("--micro", type=int, default=2048, help="tokens a forward pass")
    parser.add_argument("--lengths", default="0:512,0.88:1024", help="share of the schedule:window length,…")
    parser.add_argument("--matrix-rate", type=float, default=0.02)
    parser.add_argument("--embedding-rate", type=float, default=0.004)
    parser.add_argument("--decay-share", type=float, default=0.45)
    parser.add_argument("--warmup", type=int, default=60, help="steps")
    parser.add_argument("--from", dest="source", help="weights to start from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="threads a worker")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--report", type=int, default=50, help="steps between reports")
    parser.add_argument("--compile", action="store_true")
    return parser.parse_args()


def run(rank, o):
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    chief = rank == 0
    if o.workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{os.path.abspath(o.work)}/meeting", rank=rank,
                                world_size=o.workers)

    def say(text):
        if chief:
            print(text, flush=True)

    source = Conversations(o) if o.pairs else Windows(o, say)
    network = Llama(FAMILY[o.name])
    parameters = list(network.parameters())
    say(f"{sum(p.numel() for p in parameters)} parameters")
    matrices = [p for n, p in network.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in network.named_parameters() if p.ndim == 1 or "embed" in n]
    muon = Muon(matrices, rank, o.workers)
    adam = torch.optim.AdamW(others, lr=o.embedding_rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    step, tokens, spent = 0, 0, 0.0
    path = os.path.join(o.work, "last.pt")
    if os.path.exists(path):
        saved = torch.load(path, weights_only=False)
        network.load_state_dict(saved["network"])
        adam.load_state_dict(saved["adam"])
        muon.buffers = saved["muon"]
        step, tokens, spent = saved["step"], saved["tokens"], saved["spent"]
        source.restore(saved["streams"])
        say(f"continuing at step {step}")
    elif o.source:
        saved = torch.load(o.source, weights_only=False)
        # Blocks that the source lacks stay as they are made: the identity.
        missing, unknown = network.load_state_dict(saved.get("network", saved), strict=False)
        assert not unknown and all(key.startswith("model.layers.") for key in missing)
        say(f"starting from {os.path.basename(o.source)}")
    source.prepare(network)

    def checkpoint(file):
        torch.save({"network": network.state_dict(), "adam": adam.state_dict(), "muon": muon.buffers, "step": step,
                    "tokens": tokens, "spent": spent, "streams": source.state(), "options": vars(o)}, file + ".part")
        os.replace(file + ".part", file)

    if chief:
        fresh = not os.path.exists(o.log)
        log = open(o.log, "a", newline="")
        writer = csv.writer(log)
        if fresh:
            writer.writerow(["step", "tokens", "minutes", "window", "rate", "loss"] + [f"held_out_{h}" for h in source.held])
        with open(os.path.join(o.work, "options.json"), "w") as file:
            json.dump(vars(o), file, indent=2)
    limit, before, losses, saved_at, stable = o.minutes * 60, time.monotonic(), [], spent, False
    stopping = []

    def on_stop(*_):
        stopping.append(True)

    signal.signal(signal.SIGTERM, on_stop)
    while spent < limit and not stopping:
        share = spent / limit
        factor = min(1.0, (step + 1) / o.warmup, (1 - share) / o.decay_share)
        if chief and share >= 1 - o.decay_share and not stable and step > 60:
            checkpoint(os.path.join(o.work, "stable.pt"))  # where a longer run would go on from
            stable = True
        parts, seen, length = source.step(step, share)
        total = 0.0
        for part in parts[rank::o.workers]:
            loss = source.loss(part, share)
            loss.backward()
            total += loss.item()
        now = time.monotonic()
        spent, before = spent + now - before, now
        if o.workers > 1:  # one sum carries the gradients, the loss, and the chief's clock
            flat = torch.cat([p.grad.flatten() for p in parameters] + [torch.tensor([total, spent if chief else 0.0, len(stopping)])])
            dist.all_reduce(flat)
            pieces = flat.split([p.numel() for p in parameters] + [1, 1, 1])
            for p, piece in zip(parameters, pieces):
                p.grad = piece.view_as(p)
            total, spent = pieces[-3].item(), pieces[-2].item()
            stopping[:] = [True] * int(pieces[-1].item())  # one stops, all stop
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        muon.step(o.matrix_rate * factor)
        for group in adam.param_groups:
            group["lr"] = o.embedding_rate * factor
        adam.step()
        for p in parameters:
            p.grad = None
        losses.append(total)
        step, tokens = step + 1, tokens + seen
        if chief and (step % o.report == 0 or spent >= limit):
            scores = [""] * len(source.held)
            if step % (o.report * 4) == 0 or spent >= limit:
                with torch.no_grad():
                    scores = source.measure(share)
            shown = [f"{s:.4f}" if s != "" else "" for s in scores]
            writer.writerow([step, tokens, f"{spent / 60:.2f}", length, f"{factor:.4f}", f"{np.mean(losses):.4f}"] + shown)
            log.flush()
            say(f"step {step}  {tokens} tokens  {spent / 60:.2f} min  {tokens / spent:.0f} tokens/s  window {length}  "
                f"rate {factor:.3f}  loss {np.mean(losses):.4f}  {' '.join(shown)}")
            losses = []
            if spent - saved_at > 300:
                checkpoint(path)
                saved_at = spent
    if chief:
        checkpoint(path)
        log.close()


def main():
    o = options()
    os.makedirs(o.work, exist_ok=True)
    if o.workers == 1:
        run(0, o)
    else:
        if os.path.exists(os.path.join(o.work, "meeting")):
            os.remove(os.path.join(o.work, "meeting"))
        torch.multiprocessing.spawn(run, args=(o,), nprocs=o.workers)


if __name__ == "__main__":
    main()
