"""What weighs a number in SqueezeLLM's k-means: the Fisher diagonal by gradients, as the paper has it, or the inputs' mean squares,
as Apus has it, or nothing; in torch.

    python3 Benchmarks/compression/sensitivities.py --calibration learnt.txt --text held-out.txt Models/stories

Levels of each row's own by weighted k-means (Lloyd's steps from weighted quantiles), the same for all three. Needs `torch` and `transformers`.
"""

import argparse
import torch
from divergence import Subject

ROWS, LENGTH, STEPS = 64, 512, 60


def gather(subject, tokens):
    """Mean squared gradients of the loss and mean squares of inputs, over rows of tokens."""
    fisher = {name: torch.zeros_like(module.weight) for name, module in subject.projections.items()}
    squares = {name: torch.zeros(module.in_features) for name, module in subject.projections.items()}

    def note(name):
        def hook(_, inputs):
            squares[name] += inputs[0].detach().square().sum((0, 1))
        return hook

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in subject.projections.items()]
    for row in tokens[: ROWS * LENGTH].split(LENGTH):
        subject.model.zero_grad()
        subject.model(row[None], labels=row[None]).loss.backward()
        for name, module in subject.projections.items():
            fisher[name] += module.weight.grad.square()
    for hook in hooks:
        hook.remove()
    subject.model.zero_grad()
    return fisher, squares


@torch.no_grad()
def clustered(weights, importance, count):
    """Every number the level of its row that is nearest; levels by weighted k-means."""
    importance = importance.expand_as(weights) + 1e-12 * importance.mean()
    order = weights.argsort(1)
    values, mass = weights.gather(1, order), importance.gather(1, order)
    total = mass.cumsum(1) / mass.sum(1, keepdim=True)
    places = ((torch.arange(count) + 0.5) / count).expand(len(weights), count).contiguous()
    levels = values.gather(1, torch.searchsorted(total, places).clamp_max(weights.shape[1] - 1))
    for _ in range(STEPS):
        code = torch.searchsorted((levels[:, 1:] + levels[:, :-1]) / 2, weights)
        sums = torch.zeros_like(levels).scatter_add_(1, code, weights * importance)
        masses = torch.zeros_like(levels).scatter_add_(1, code, importance)
        levels = torch.where(masses > 0, sums / masses.clamp_min(1e-30), levels).sort(1).values
    return levels.gather(1, torch.searchsorted((levels[:, 1:] + levels[:, :-1]) / 2, weights))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="folders of the llama architecture")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--text", required=True)
    o = parser.parse_args()
    for folder in o.models:
        subject = Subject(folder, o.text)
        fisher, squares = gather(subject, subject.tokens(o.calibration))
        weighed = {
            "nothing": lambda name: torch.ones(1),
            "mean squares of inputs": lambda name: squares[name],
            "squared gradients": lambda name: fisher[name],
        }
        print(f"{folder}, {sum(map(len, subject.windows)):,} tokens, KL and top-1\n\n| weighed by | 3 bits | 4 bits |\n|---|---|---|")
        for title, importance in weighed.items():
            cells = []
            for bits in (3, 4):
                kl, error, top = subject.divergence(lambda name, w: clustered(w, importance(name), 1 << bits))
                cells.append(f"{kl:.5f} ± {error:.5f}, {100 * top:.1f} %")
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
        print()


if __name__ == "__main__":
    main()
