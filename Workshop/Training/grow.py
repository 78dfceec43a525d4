"""Makes the weights of a model twice as wide that computes the same function, to train on from there.

Every feature of the residual stream, every head and every hidden unit is doubled; what reads a doubled feature splits its
weight in two unequal parts whose sum is the weight, so that the two copies learn different things. The last norm is
halved, because the tied output sums every feature twice. (Net2Net, Chen et al. 2015, "Net2WiderNet".)

  python grow.py --checkpoint $WORK/stories-draft/grown-from.pt --out $WORK/stories/start.pt
"""
import argparse

import torch

from model import FAMILY, Llama


def split(weight, noise):
    """[rows, columns] → [2·rows, 2·columns]: each copy of a row splits every weight differently."""
    halves = []
    for _ in range(2):
        part = torch.randn(weight.shape, generator=noise) * weight.std() * 0.7
        halves.append(torch.cat([weight / 2 + part, weight / 2 - part], dim=1))
    return torch.cat(halves, dim=0)


def grow(state, seed=1):
    noise, out = torch.Generator().manual_seed(seed), {}
    for name, weight in state.items():
        if name == "model.embed_tokens.weight":
            out[name] = torch.cat([weight, weight], dim=1)
        elif name == "model.norm.weight":
            out[name] = torch.cat([weight, weight]) / 2
        elif weight.ndim == 1:
            out[name] = torch.cat([weight, weight])
        else:
            out[name] = split(weight, noise)
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    o = parser.parse_args()
    small, large = Llama(FAMILY["stories-draft"]), Llama(FAMILY["stories"])
    small.load_state_dict(torch.load(o.checkpoint, weights_only=False)["network"])
    large.load_state_dict(grow(small.state_dict()))
    tokens = torch.randint(0, 4096, (2, 64), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        difference = (small(tokens) - large(tokens)).abs().max().item()
    print(f"largest difference of a logit: {difference:.2e}")
    assert difference < 1e-3
    torch.save(large.state_dict(), o.out)
