"""Conversations as tokens, with a target at the positions that are learnt, and batches of them.

A conversation is written as the chat template writes it (`make_tokenizer.CHAT_TEMPLATE`): <|bos|>, then for each turn the
role's token, its text, <|end|>. Only what the assistant says is learnt, its <|end|> included.

Problems of the arithmetic generator ({"question", "steps", "answer", "level"}) become one exchange: the question, and as
answer its numbered steps and a last line `answer: N`. Samples labelled step by step ({"ids", "at", "good"}) have at the
steps' ends the token that says whether all is right so far, and within right steps their own words, so that what the
network knows of arithmetic is kept.

  python exchange.py sums --input train.jsonl --out train.npz --limit 300000
  python exchange.py chat --input dialogues.jsonl --out dialogues.npz
"""
import argparse
import json
import os

import numpy as np
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
SILENT = 65535  # no target at this position


def tokenizer():
    return Tokenizer.from_file(os.path.join(HERE, "tokenizer", "tokenizer.json"))


def solution(problem):
    return "\n".join(problem["steps"] + [f"answer: {problem['answer']}"])


def messages_of(record):
    if "messages" in record:
        return [(m["role"], m["content"].strip()) for m in record["messages"]]
    return [("user", record["question"].strip()), ("assistant", solution(record))]


def written(t, conversations):
    """[(ids, targets)]: `targets[i]` is what is to be said after `ids[i]`, or SILENT."""
    role = {name: t.token_to_id(f"<|{name}|>") for name in ("system", "user", "assistant", "tool")}
    begin, end = t.token_to_id("<|bos|>"), t.token_to_id("<|end|>")
    texts = [content for messages in conversations for _, content in messages]
    encoded = iter(t.encode_batch(texts, add_special_tokens=False))
    out = []
    for messages in conversations:
        ids, targets = [begin], []
        for who, _ in messages:
            part = next(encoded).ids + [end]
            ids += [role[who]] + part
            targets += [SILENT] + (part if who == "assistant" else [SILENT] * len(part))
        out.append((ids, targets + [SILENT]))
    return out


def prompt(t, messages):
    """Token ids up to where the assistant begins to speak."""
    ids = written(t, [messages])[0][0]
    return ids + [t.token_to_id("<|assistant|>")]


def save(path, examples):
    starts = np.cumsum([0] + [len(ids) for ids, _ in examples])
    np.savez(path, tokens=np.concatenate([np.array(ids, dtype=np.uint16) for ids, _ in examples]),
             targets=np.concatenate([np.array(targets, dtype=np.uint16) for _, targets in examples]), starts=starts)


class Exchanges:
    """Batches of whole conversations, each from its own position 0, rows of about the same length beside each other."""

    def __init__(self, path, seed, pool=2048):
        held = np.load(path)
        self.tokens, self.targets, self.starts = held["tokens"], held["targets"], held["starts"]
        self.seed, self.pool = seed, pool
        self.lengths = np.diff(self.starts)
        self.epoch, self.cursor, self.parts = 0, 0, None

    def shuffle(self, micro):
        """Parts of at most `micro` tokens with their padding: conversations of one pool, sorted by length, then cut."""
        noise = np.random.default_rng([self.seed, self.epoch])
        order, parts = noise.permutation(len(self.lengths)), []
        for at in range(0, len(order), self.pool):
            pool = order[at:at + self.pool]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            begin, cut = 0, []
            for end in range(1, len(pool) + 1):
                if end == len(pool) or self.lengths[pool[end]] * (end + 1 - begin) > micro:
                    cut.append(pool[begin:end])
                    begin = end
            parts += [cut[i] for i in noise.permutation(len(cut))]
        self.parts = parts

    def take(self, count, micro):
        """`count` parts: [(tokens, targets)], int64, padded; targets of -100 are not learnt."""
        out = []
        for _ in range(count):
            if self.parts is None:
                self.shuffle(micro)
            if self.cursor == len(self.parts):
                self.epoch, self.cursor = self.epoch + 1, 0
                self.shuffle(micro)
            out.append(self.rows(self.parts[self.cursor]))
            self.cursor += 1
        return out

    def rows(self, chosen):
        length = int(self.lengths[chosen].max())
        tokens = np.full((len(chosen), length), 2, dtype=np.int64)
        targets = np.full((len(chosen), length), -100, dtype=np.int64)
        for row, index in enumerate(chosen):
            here = slice(self.starts[index], self.starts[index + 1])
            size = self.lengths[index]
            tokens[row, :size] = self.tokens[here]
            wanted = self.targets[here].astype(np.int64)
            targets[row, :size] = np.where(wanted == SILENT, -100, wanted)
        return tokens, targets

    def used(self):
        """The tokens that are ever a target."""
        seen = np.unique(self.targets)
        return seen[seen != SILENT].astype(np.int64)

    def state(self):
        return {"epoch": self.epoch, "cursor": self.cursor}

    def restore(self, state):
        self.epoch, self.cursor, self.parts = state["epoch"], state["cursor"], None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["sums", "chat", "steps"])
    parser.add_argument("--input", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--good", type=int, default=11, help="the token for a right step")
    o = parser.parse_args()
    t, examples, pending = tokenizer(), [], []
    with open(o.input, encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number == o.limit:
                break
            record = json.loads(line)
            if o.kind == "steps":
                ids, targets = record["ids"], [SILENT] * len(record["ids"])
                before = ids.index(t.token_to_id("<|assistant|>"))
                for at, mark in zip(record["at"], record["good"]):
                    if mark == o.good:
                        targets[before:at] = ids[before + 1:at + 1]
                    targets[at], before = mark, at + 1
                examples.append((ids, targets))
                continue
            pending.append(messages_of(record))
            if len(pending) == 10000:
                examples += written(t, pending)
                pending = []
    examples += written(t, pending)
    save(o.out, examples)
    sizes = [len(ids) for ids, _ in examples]
    learnt = sum(sum(x != SILENT for x in targets) for _, targets in examples)
    print(f"{len(examples)} conversations, {sum(sizes)} tokens, longest {max(sizes)}, {learnt} learnt")


if __name__ == "__main__":
    main()
