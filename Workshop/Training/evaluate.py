"""Measures an exported model with an independent implementation (Hugging Face transformers, float32 arithmetic on the
BF16 weights), and writes `golden.json`, `figures.json` and `loss.svg` beside it.

Perplexity here: a document is <|bos|> and its tokens, without <|end|>; it is cut into consecutive windows of the context
length; every token of a window but its first is scored given the window's tokens before it; perplexity is the
exponential of the mean negative log-probability of the scored tokens. Bits a byte: the same sum in bits over the bytes of
the scored tokens' text.
"""
import argparse
import csv
import json
import math
import os

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

import texts

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPTS = {
    "stories": ["Once upon a time", "One day, Tom found a small key in the garden.",
                "The old man looked at the sea and said"],
    "sums": ["<|user|>What is 27 + 48?<|end|><|assistant|>", "<|user|>Compute (12 * 6) - 15.<|end|><|assistant|>",
             "<|user|>Mia has 4 boxes with 13 pencils in each. How many pencils does Mia have?<|end|><|assistant|>"],
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
    for key, title, colour in (("held_out_stories", "held out: stories", "#06c"), ("held_out_oz", "held out: Oz", "#c40")):
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the exported model")
    parser.add_argument("--log", required=True)
    parser.add_argument("--books", required=True)
    parser.add_argument("--stories", required=True)
    o = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(os.path.join(o.model, "tokenizer.json"))
    network = LlamaForCausalLM.from_pretrained(o.model, dtype=torch.float32).eval()
    context, end = network.config.max_position_embeddings, network.config.eos_token_id
    prompts = PROMPTS["sums" if "sums" in os.path.basename(os.path.normpath(o.model)) else "stories"]
    with open(os.path.join(HERE, "goldens", "passage.txt"), encoding="utf-8") as file:
        passage = file.read()
    nats, count, size = score(network, tokenizer, [passage], context)
    golden = {"about": "float32 arithmetic on the BF16 weights; greedy ids go on past <|end|>; `gap` is the smallest "
                       "difference between the best and the second logit on the way",
              "continuations": [], "passage": {
                  "file": "Workshop/Training/goldens/passage.txt", "definition": "<|bos|> and the text's tokens in windows "
                  "of the context length, each window's first token not scored", "ids": tokenizer.encode(passage).ids,
                  "context": context, "scored": count, "nats": nats, "perplexity": math.exp(nats / count)}}
    figures = {"parameters": network.num_parameters(), "passage_perplexity": math.exp(nats / count), "samples": []}
    for seed, prompt in enumerate(prompts, 1):
        ids = tokenizer.encode(prompt).ids
        out, gap = greedy(network, ids, 200)
        golden["continuations"].append({"prompt": prompt, "ids": ids, "continuation": out, "gap": gap})
        told = out[:out.index(end)] if end in out else out
        drawn = sampled(network, ids, 200, 0.8, 0.95, seed, end)
        figures["samples"].append({"prompt": prompt, "greedy": tokenizer.decode(told), "sampled": tokenizer.decode(drawn)})
    _, measure = texts.corpus(o.books, o.stories)
    figures["held_out"] = {}
    for name, documents in measure.items():
        nats, count, size = score(network, tokenizer, documents, context)
        figures["held_out"][name] = {"tokens": count, "bytes": size, "nats_per_token": nats / count,
                                     "perplexity": math.exp(nats / count), "bits_per_byte": nats / math.log(2) / size}
    for file, value in (("golden.json", golden), ("figures.json", figures)):
        with open(os.path.join(o.model, file), "w", encoding="utf-8") as handle:
            json.dump(value, handle, ensure_ascii=False, indent=1 if file == "figures.json" else None)
            handle.write("\n")
    curve(o.log, os.path.join(o.model, "loss.svg"))
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
