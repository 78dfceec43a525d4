"""Divergences and log-likelihoods by `transformers`, for the tests of Evaluation.

    apus eval choices story-choices --model builtin:stories-draft -n 24 --save stories.jsonl
    apus eval choices sum-choices --model builtin:sums -n 24 --save sums.jsonl
    python make_goldens.py ../.. stories.jsonl sums.jsonl

writes Tests/EvaluationTests/Goldens/divergence.json and choices.json. Of the .jsonl files only questions, choices and answers are read;
every figure is computed here, in float64, from the models' own files: tokens by `tokenizers`, conversations by the model's Jinja
template, scores by `transformers`.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
BASE, OTHER = "stories", "stories-draft"
TEMPERATURES = [1.0, 0.5, 0.8, 1.2]
WINDOWS = [(128, 64), (100, 100)]
SEED = 11


def load(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    return model, AutoTokenizer.from_pretrained(folder)


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011)."""
    c, k = [int(x) for x in counter], [int(x) for x in key]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def uniform(position):
    """The noise of a token at a position: the upper 53 bits of the first two words."""
    words = philox([position, 0, 0, 0], [SEED & 0xFFFFFFFF, SEED >> 32])
    return ((words[1] << 32 | words[0]) >> 11) * 2.0**-53


def draw(logprobs, position):
    cumulative = np.cumsum(np.exp(logprobs))
    return int(np.searchsorted(cumulative, uniform(position) * cumulative[-1], side="right"))


def rows(model, tokens, window, stride):
    """Log-probabilities for each scored token, [scored, vocabulary], and their places."""
    found, places, covered = [], [], 0
    for begin in range(0, len(tokens), stride):
        end = min(begin + window, len(tokens))
        scores = model(torch.tensor([tokens[begin:end]])).logits[0]
        for place in range(max(covered, begin + 1), end):
            found.append(scores[place - begin - 1])
            places.append(place)
        covered = end
        if end == len(tokens):
            return torch.stack(found), places


def divergence(base, other, tokens, window, stride):
    p_scores, places = rows(base, tokens, window, stride)
    q_scores, _ = rows(other, tokens, window, stride)
    targets = torch.tensor([tokens[place] for place in places])
    case = {"window": window, "stride": stride, "tokens": len(places), "temperatures": []}
    for temperature in TEMPERATURES:
        p = torch.log_softmax(p_scores / temperature, -1)
        q = torch.log_softmax(q_scores / temperature, -1)
        kl = (p.exp() * (p - q)).sum(-1).numpy()
        same = [draw(a, place) == draw(b, place) for a, b, place in zip(p.numpy(), q.numpy(), places)]
        case["temperatures"].append({"temperature": temperature, "kl": float(kl.mean()), "same_draw": float(np.mean(same))})
        if temperature == 1:
            own = torch.gather(p, 1, targets[:, None])[:, 0]
            others = torch.gather(q, 1, targets[:, None])[:, 0]
            case |= {
                "base_perplexity": math.exp(-own.mean()), "perplexity": math.exp(-others.mean()),
                "kl": float(kl.mean()), "median": float(np.median(kl)), "p99": float(np.quantile(kl, 0.99)),
                "max": float(kl.max()),
                "top1": float((p.argmax(-1) == q.argmax(-1)).double().mean()),
            }
    return case


def likelihoods(model, tokenizer, question, asked):
    """Sums of log-probabilities of the choices, from the first token on that any of them changes."""
    if asked:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question["question"]}], tokenize=False, add_generation_prompt=True)
        encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    else:
        prompt = question["question"]
        encode = lambda text: tokenizer(text)["input_ids"]
    prompt += question["beginning"]
    before = encode(prompt)
    sequences = [encode(prompt + choice) for choice in question["choices"]]
    common = min(next((i for i, (a, b) in enumerate(zip(before, s)) if a != b), len(before)) for s in sequences)
    sums = []
    for tokens in sequences:
        logprobs = torch.log_softmax(model(torch.tensor([tokens])).logits[0], -1)
        sums.append(sum(float(logprobs[i - 1, tokens[i]]) for i in range(common, len(tokens))))
    return sums


@torch.no_grad()
def main():
    root, stories, sums = map(pathlib.Path, sys.argv[1:])
    goldens = root / "Tests/EvaluationTests/Goldens"
    text = (root / "Workshop/Training/goldens/passage.txt").read_text()
    base, tokenizer = load(root / "Models" / BASE)
    other, _ = load(root / "Models" / OTHER)
    tokens = tokenizer(text)["input_ids"]
    cases = [divergence(base, other, tokens, *w) for w in WINDOWS]
    for case in cases:
        print(case)
    record = {"base": BASE, "other": OTHER, "text": text, "seed": SEED, "cases": cases}
    (goldens / "divergence.json").write_text(json.dumps(record, ensure_ascii=False) + "\n")

    records = []
    for path, name, asked in [(stories, "stories-draft", False), (sums, "sums", True)]:
        model, tokenizer = load(root / "Models" / name)
        questions = [json.loads(line) for line in path.read_text().splitlines()]
        kept = []
        for question in questions:
            question = {key: question[key] for key in ("question", "beginning", "choices", "answer")}
            question["log_likelihoods"] = likelihoods(model, tokenizer, question, asked)
            kept.append(question)
        # Choices of unequal length, for the normalised figure.
        if not asked:
            extra = {
                "question": "Once upon a time, there was a little girl named Lily. She liked to play", "beginning": "",
                "choices": [" outside.", " with her toys in the big park near her house every day.", " x", " in the garden with her dog"],
                "answer": 0}
            extra["log_likelihoods"] = likelihoods(model, tokenizer, extra, asked)
            kept.append(extra)
        right = sum(int(np.argmax(q["log_likelihoods"])) == q["answer"] for q in kept)
        print(name, right, len(kept))
        records.append({"model": name, "style": "answer" if asked else "continuation", "questions": kept})
    (goldens / "choices.json").write_text(json.dumps(records, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
