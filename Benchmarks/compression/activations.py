"""Floats against integers at 4-bit weights and 8-bit activations (ZeroQuant-FP's question), in torch.

    python3 Benchmarks/compression/activations.py --text held-out.txt Models/stories Models/chat

Weights: 4 bits in groups of 64, a scale each, the best of 40 clippings by squared error. Activations: a scale for each token (as the
paper has them) or for each 32 inputs of a token (as Apus has them), integers of 8 bits or E4M3. Needs `torch` and `transformers`.
"""

import argparse
import torch
from divergence import Subject

E2M1 = torch.tensor([0.0, 0.5, 1, 1.5, 2, 3, 4, 6])


def to_integers(x, most):
    return torch.clamp(torch.round(x), -most, most)


def to_e2m1(x):
    levels = torch.cat([-E2M1.flip(0)[:-1], E2M1])
    edges = (levels[1:] + levels[:-1]) / 2
    return levels[torch.bucketize(x, edges)]


def to_e4m3(x):
    return x.clamp(-448, 448).to(torch.float8_e4m3fn).float()


def scaled(x, group, most, rounded, clippings=(1.0,)):
    """x with every run of `group` numbers rounded under a scale of its own."""
    parts = x.reshape(*x.shape[:-1], -1, group) if group else x[..., None, :]
    best, least = None, None
    for clipping in clippings:
        scale = parts.abs().amax(-1, keepdim=True).clamp_min(1e-12) * clipping / most
        found = rounded(parts / scale) * scale
        error = (found - parts).square().sum(-1, keepdim=True)
        if best is None:
            best, least = found, error
        else:
            better = error < least
            best, least = torch.where(better, found, best), torch.where(better, error, least)
    return best.reshape(x.shape)


CLIPPINGS = [1 - 0.0125 * step for step in range(40)]
WEIGHTS = {
    "as they are": lambda name, w: w,
    "INT4": lambda name, w: scaled(w, 64, 7, lambda x: to_integers(x, 7), CLIPPINGS),
    "FP4 (E2M1)": lambda name, w: scaled(w, 64, 6, to_e2m1, CLIPPINGS),
}
ACTIVATIONS = {
    "as they are": None,
    "INT8 a token": lambda x: scaled(x, 0, 127, lambda v: to_integers(v, 127)),
    "FP8 (E4M3) a token": lambda x: scaled(x, 0, 448, to_e4m3),
    "INT8 for 32": lambda x: scaled(x, 32, 127, lambda v: to_integers(v, 127)),
    "FP8 (E4M3) for 32": lambda x: scaled(x, 32, 448, to_e4m3),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="folders of the llama architecture")
    parser.add_argument("--text", required=True)
    o = parser.parse_args()
    for folder in o.models:
        subject = Subject(folder, o.text)
        print(f"{folder}, {sum(map(len, subject.windows)):,} tokens, KL and top-1\n\n| weights | " + " | ".join(ACTIVATIONS) + " |")
        print("|---" * (1 + len(ACTIVATIONS)) + "|")
        for name, change in WEIGHTS.items():
            cells = []
            for activations in ACTIVATIONS.values():
                kl, error, top = subject.divergence(change, activations)
                cells.append(f"{kl:.5f} ± {error:.5f}, {100 * top:.1f} %")
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        print()


if __name__ == "__main__":
    main()
