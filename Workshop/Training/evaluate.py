"""Measures an exported model with an independent implementation (Hugging Face transformers, float32 arithmetic on the
BF16 weights), and writes `golden.json`, `figures.json` and `loss.svg` beside it.

Perplexity here: a document is <|bos|> and its tokens, without <|end|>; it is cut into consecutive windows of the context
length; every token of a window but its first is scored given the window's tokens before it; perplexity is the
exponential of the mean negative log-probability of the scored tokens. Bits a byte: the same sum in bits over the bytes of
the scored tokens' text. Of conversations, only what the assistant says is scored.

The arithmetic model is measured by the problems it solves (`solve.py`), the conversation model by its answers
(`converse.py`), the process reward model by how its scores part right steps from wrong ones (`steps.py`).
"""
import argparse
import csv
import json
import math
import os

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

import converse
import exchange
import solve
import steps
import texts

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPTS = {
    "stories": ["Once upon a time", "One day, Tom found a small key in the garden.",
                "The old man looked at the sea and said"],
    "sums": ["<|user|>What is 27 + 48?<|end|><|assistant|>", "<|user|>Compute 12 * 6 - (15 + 148 / 4).<|end|><|assistant|>",
             "<|user|>Mia has 4 boxes with 13 pencils in each. Mia buys 28 more. Mia shares them equally among 5 friends. "
             "How many pencils does each friend get?<|end|><|assistant|>"],
    "chat": ["<|user|>Tell me a story about a bear.<|end|><|assistant|>",
             "<|system|>Your name is Tom.<|end|><|user|>My name is Ella.<|end|><|assistant|>Nice to meet you, Ella!<|end|>"
             "<|user|>What is my name?<|end|><|assistant|>",
             "<|system|>Answer in one word.<|end|><|user|>Anna has a red ball. Ben has a blue kite. What color is the kite?<|end|>"
             "<|assistant|>"],
}


@torch.no_grad()
def score(network, tokenizer, documents, context):
    """(sum of nats, scored tokens, bytes of the scored tokens)."""
    nats, count, size = 0.0, 0, 0
    for encoding in tokenizer.encode_batch(documents):
        for at in range(0, len(encoding.ids), context):
            window = encoding.ids[at:at + context]
            if len(window) < 2:
                continue
            logits = network(torch.tensor([window])).logits[0, :-1].double()
            chosen = logits.log_softmax(-1)[torch.arange(len(window) - 1), torch.tensor(window[1:])]
            nats -= chosen.sum().item()
            count += len(window) - 1
            size += len(tokenizer.decode(window[1:], skip_special_tokens=False).encode())
    return nats, count, size


@torch.no_grad()
def greedy(network, ids, count):
    """(continuation, the smallest gap between the best and the second logit on the way)."""
    ids, out, gap, cache = list(ids), [], math.inf, None
    rows = torch.tensor([ids])
    for _ in range(count):
        step = network(rows, past_key_values=cache, use_cache=True)
        cache = step.past_key_values
        best = step.logits[0, -1].topk(2)
        gap = min(gap, (best.values[0] - best.values[1]).item())
        out.append(best.indices[0].item())
        rows = torch.tensor([[out[-1]]])
    return out, gap


@torch.no_grad()
def sampled(network, ids, count, temperature, top_p, seed, end):
    noise, ids = torch.Generator().manual_seed(seed), list(ids)
    start, cache, rows = len(ids), None, torch.tensor([ids])
    while len(ids) < start + count:
        step = network(rows, past_key_values=cache, use_cache=True)
        cache = step.past_key_values
        p, order = (step.logits[0, -1] / temperature).softmax(-1).sort(descending=True)
        p[p.cumsum(-1) - p > top_p] = 0
        ids.append(order[torch.multinomial(p / p.sum(), 1, generator=noise)].item())
        if ids[-1] == end:
            break
        rows = torch.tensor([[ids[-1]]])
    return ids[start:]


def curve(log, out):
    """The loss over the tokens seen, as a drawing."""
    with open(log) as file:
        rows = list(csv.DictReader(file))
    lines = [("training", "#888", [(int(r["tokens"]), float(r["loss"])) for r in rows])]
    for key, title, colour in (("held_out_stories", "held out: stories", "#06c"), ("held_out_oz", "held out: Oz", "#c40"),
                               ("held_out_conversations", "held out: conversations", "#06c")):
        if any(r.get(key) for r in rows):
            lines.append((title, colour, [(int(r["tokens"]), float(r[key])) for r in rows if r.get(key)]))
    width, height, left, bottom = 720, 360, 50, 40
    right = max(x for _, _, points in lines for x, _ in points)
    low = math.floor(min(y for _, _, points in lines for _, y in points) * 2) / 2
    high = min(6.0, max(y for _, _, points in lines for _, y in points))
    x = lambda v: left + (width - left - 10) * v / right
    y = lambda v: 10 + (height - bottom - 10) * (high - min(v, high)) / (high - low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="12"><rect width="{width}" height="{height}" fill="#fff"/>']
    tick = low
    while tick <= high + 1e-9:
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>'
                     f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
        tick += 0.5
    for i in range(5):
        value = right * i / 4
        parts.append(f'<text x="{x(value):.1f}" y="{height - 22}" text-anchor="middle">{value / 1e6:.1f} M</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 5}" text-anchor="middle">tokens seen (loss in nats a token)</text>')
    for i, (title, colour, points) in enumerate(lines):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
                     f'<text x="{width - 160}" y="{30 + 16 * i}" fill="{colour}">{title}</text>')
    with open(out, "w") as file:
        file.write("\n".join(parts + ["</svg>"]) + "\n")


@torch.no_grad()
def score_answers(network, conversations):
    """(sum of nats, scored tokens) of what the assistant says in `conversations`, written as `exchange.py` does."""
    nats, count = 0.0, 0
    for ids, targets in conversations:
        logits = network(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        for at, wanted in enumerate(targets):
            if wanted != exchange.SILENT:
                nats -= logits[at, wanted].item()
                count += 1
    return nats, count


def perplexity(nats, count):
    return {"tokens": count, "nats_per_token": nats / count, "perplexity": math.exp(nats / count)}


def continuations(network, tokenizer, prompts, end):
    """(for golden.json, for figures.json)."""
    golden, samples = [], []
    for seed, prompt in enumerate(prompts, 1):
        ids = tokenizer.encode(prompt).ids
        out, gap = greedy(network, ids, 200)
        golden.append({"prompt": prompt, "ids": ids, "continuation": out, "gap": gap})
        told = out[:out.index(end)] if end in out else out
        drawn = sampled(network, ids, 200, 0.8, 0.95, seed, end)
        samples.append({"prompt": prompt, "greedy": tokenizer.decode(told), "sampled": tokenizer.decode(drawn)})
    return golden, samples


@torch.no_grad()
def step_scores(network, records):
    """For golden.json: the reward model's score at each place, by `transformers`."""
    out = []
    for x in records:
        logits = network(torch.tensor([x["ids"]])).logits[0, x["at"]][:, [steps.GOOD, steps.BAD]]
        out.append({"ids": x["ids"], "at": x["at"], "scores": logits.softmax(-1)[:, 0].tolist()})
    return out


def write(folder, golden, figures):
    for file, value in (("golden.json", golden), ("figures.json", figures)):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as handle:
            json.dump(value, handle, ensure_ascii=False, indent=1 if file == "figures.json" else None)
            handle.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the exported model")
    parser.add_argument("--log", required=True)
    parser.add_argument("--books")
    parser.add_argument("--stories")
    parser.add_argument("--problems", help="test problems, for sums and sums-prm")
    parser.add_argument("--labelled", help="labelled solutions of held-out problems, for sums-prm")
    parser.add_argument("--dialogues", help="conversations kept apart, for chat")
    parser.add_argument("--count", type=int, default=600, help="problems that are solved")
    o = parser.parse_args()
    torch.set_num_threads(1)
    name = os.path.basename(os.path.normpath(o.model))
    tokenizer = Tokenizer.from_file(os.path.join(o.model, "tokenizer.json"))
    network = LlamaForCausalLM.from_pretrained(o.model, dtype=torch.float32).eval()
    context, end = network.config.max_position_embeddings, network.config.eos_token_id
    figures, golden = {"parameters": network.num_parameters()}, {
        "about": "float32 arithmetic on the BF16 weights; greedy ids go on past <|end|>; `gap` is the smallest "
                 "difference between the best and the second logit on the way"}
    curve(o.log, os.path.join(o.model, "loss.svg"))
    if name == "sums-prm":
        records = [json.loads(line) for line in open(o.labelled)]
        golden = {"about": "float32 arithmetic on the BF16 weights; `scores` are the probabilities of "
                           "`apus_step_reward.good` against `.bad` after the tokens at the places `at`",
                  "solutions": step_scores(network, records[::4][:8])}
        figures["steps"] = steps.measured(solve.load(o.model, name), records)
        figures["examples"] = [{"text": tokenizer.decode(x["ids"], skip_special_tokens=False),
                                "right": [mark == steps.GOOD for mark in x["good"]], "scores": y["scores"]}
                               for x, y in zip(records[::4][:8], golden["solutions"])]
        return write(o.model, golden, figures)

    kind = name if name in PROMPTS else "stories"
    golden["continuations"], figures["samples"] = continuations(network, tokenizer, PROMPTS[kind], end)
    if kind == "sums":
        chosen = solve.problems(o.problems, {1, 2, 3, 4, 5, 6}, 3000)
        told = exchange.written(tokenizer, [exchange.messages_of(p) for p in chosen[:24]])
        passage = [i for ids, _ in told for i in ids]
        source = {"file": "the first 24 test problems with their solutions", "definition": "their tokens one after the other in "
                  "windows of the context length, each window's first token not scored", "ids": passage}
        nats = count = 0
        for at in range(0, len(passage), context):
            row = torch.tensor([passage[at:at + context]])
            with torch.no_grad():
                logits = network(row).logits[0, :-1].double().log_softmax(-1)
            nats -= logits[torch.arange(row.shape[1] - 1), row[0, 1:]].sum().item()
            count += row.shape[1] - 1
    else:
        with open(os.path.join(HERE, "goldens", "passage.txt"), encoding="utf-8") as file:
            passage = file.read()
        nats, count, _ = score(network, tokenizer, [passage], context)
        source = {"file": "Workshop/Training/goldens/passage.txt", "definition": "<|bos|> and the text's tokens in windows "
                  "of the context length, each window's first token not scored", "ids": tokenizer.encode(passage).ids}
    golden["passage"] = source | {"context": context, "scored": count, "nats": nats, "perplexity": math.exp(nats / count)}
    figures |= {"passage_perplexity": math.exp(nats / count), "held_out": {}}
    if kind == "sums":
        ours = solve.load(o.model, name)
        held = exchange.written(tokenizer, [exchange.messages_of(p) for p in chosen[:600]])
        figures["held_out"]["solutions of the first 600 test problems"] = perplexity(*score_answers(network, held))
        harder = [p for p in chosen if p["level"] > 3]
        easier = [p for p in chosen if p["level"] <= 3]
        figures["greedy"] = solve.measure(ours, tokenizer, easier[:o.count // 2])[0]
        by_level = solve.measure(ours, tokenizer, harder[:o.count])[0]
        figures["greedy"] |= by_level | {"4-6": by_level["all"]}
        figures["sampled"] = solve.measure(ours, tokenizer, harder[:o.count // 5], 16, 0.8)[0]
    else:
        _, measure = texts.corpus(o.books, o.stories)
        for title, documents in measure.items():
            nats, count, size = score(network, tokenizer, documents, context)
            figures["held_out"][title] = perplexity(nats, count) | {"bytes": size, "bits_per_byte": nats / math.log(2) / size}
    if kind == "chat":
        conversations = converse.read(o.dialogues)
        held = exchange.written(tokenizer, [exchange.messages_of(c) for c in conversations])
        figures["held_out"]["answers of the conversations kept apart"] = perplexity(*score_answers(network, held))
        figures["answers"] = converse.measure(solve.load(o.model, name), tokenizer, conversations)[0]
    write(o.model, golden, figures)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
