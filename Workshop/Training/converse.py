"""How often a model's greedy answer is the only right one, over generated conversations kept apart, by kind.

Every answer is asked for after the conversation as it was written up to there.

  python converse.py ../../Models/chat --dialogues held.jsonl
"""
import argparse
import collections
import json

import torch

import exchange
import solve
from generate import continuations


def measure(network, t, conversations, limit=64):
    """({kind or "all": figures}, [(messages so far, wanted, said, kind)])."""
    asked = []
    for record in conversations:
        turns = exchange.messages_of(record)
        asked += [(turns[:i], turns[i][1], kind) for i, kind in enumerate(record["kinds"]) if kind]
    said = continuations(network, [exchange.prompt(t, before) for before, _, _ in asked], limit)
    counts, told = collections.defaultdict(lambda: [0, 0]), []
    for (before, wanted, kind), ids in zip(asked, said):
        text = t.decode(ids)
        for key in (kind, "all"):
            counts[key][0] += text == wanted and ids[-1] == 1
            counts[key][1] += 1
        told.append((before, wanted, text, kind))
    return {kind: {"answers": n, "exact": right / n} for kind, (right, n) in sorted(counts.items())}, told


def read(path, count=None):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file][:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--dialogues", required=True)
    parser.add_argument("--count", type=int)
    parser.add_argument("--show", type=int, default=0)
    o = parser.parse_args()
    torch.set_num_threads(1)
    figures, told = measure(solve.load(o.model, "chat"), exchange.tokenizer(), read(o.dialogues, o.count))
    for before, wanted, text, kind in [x for x in told if x[1] != x[2]][:o.show]:
        print(f"{kind}: {before[-1][1]!r} wanted {wanted!r} said {text!r}")
    for kind, f in figures.items():
        print(f"{kind}: {100 * f['exact']:.1f} % of {f['answers']}")


if __name__ == "__main__":
    main()
