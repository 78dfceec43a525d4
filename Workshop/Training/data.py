"""Documents as tokens, and windows of them in a reproducible order."""
import numpy as np


def encode(tokenizer, documents):
    """(tokens uint16, starts int64): every document is <|bos|> text <|end|>; `starts` has one more entry, the end."""
    end = tokenizer.token_to_id("<|end|>")
    parts = [encoding.ids + [end] for encoding in tokenizer.encode_batch(documents)]
    starts = np.cumsum([0] + [len(part) for part in parts])
    return np.concatenate([np.array(part, dtype=np.uint16) for part in parts]), starts


class Stream:
    """Windows of one group, epoch after epoch, each epoch in its own order.

    A window begins at a document's start, or continues a document that filled the whole window before it. A document
    that a window's end cuts is told again from its start in the next window.
    """

    def __init__(self, tokens, starts, seed):
        self.tokens, self.starts, self.seed = tokens, starts, seed
        self.epoch, self.cursor, self.order = 0, 0, None

    def shuffle(self):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.starts) - 1)
        self.order = np.concatenate([self.tokens[self.starts[i]:self.starts[i + 1]] for i in order])
        lengths = np.diff(self.starts)[order]
        self.begins = np.concatenate([[0], np.cumsum(lengths)])

    def window(self, length):
        """`length` + 1 tokens."""
        if self.order is None:
            self.shuffle()
        if self.cursor + length + 1 > len(self.order):
            self.epoch, self.cursor = self.epoch + 1, 0
            self.shuffle()
        here, after = self.cursor, self.cursor + length
        cut = self.begins[np.searchsorted(self.begins, after, side="right") - 1]
        self.cursor = int(cut if cut > here else after)
        return self.order[here:after + 1]

    def state(self):
        return {"epoch": self.epoch, "cursor": self.cursor}

    def restore(self, state):
        self.epoch, self.cursor, self.order = state["epoch"], state["cursor"], None


class Mixture:
    """Windows of several streams, chosen by weight from noise that step and row address."""

    def __init__(self, groups, weights, seed):
        self.names = sorted(weights)
        self.streams = {name: Stream(*groups[name], seed + i) for i, name in enumerate(self.names)}
        total = sum(weights.values())
        self.shares = np.cumsum([weights[name] / total for name in self.names])
        self.seed = seed

    def batch(self, step, rows, length):
        noise = np.random.default_rng([self.seed, step]).random(rows)
        picks = np.minimum(np.searchsorted(self.shares, noise), len(self.names) - 1)
        return np.stack([self.streams[self.names[p]].window(length) for p in picks]).astype(np.int64)
