"""Perplexities of token sequences by `transformers`, for the tests of Evaluation.

    python make_perplexity.py ../../Goldens/models ../../Tests/EvaluationTests/Goldens/perplexity.json

The definition is the strided one for models of fixed length: windows begin `stride` tokens apart, and a token is scored
in the first window that reaches it, unless it is that window's first. Arithmetic is float64 throughout.
"""

import json
import math
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)

MODELS = ["llama-tied", "gpt2", "gemma3", "qwen3-tied"]
COUNT = 201
WINDOWS = [(201, 201), (200, 200), (128, 128), (128, 64), (100, 33), (64, 1), (2, 1), (2, 2)]


def sample(model, count, seed):
    """Tokens half from the model, half from nowhere: surprise that spreads."""
    generator = torch.Generator().manual_seed(seed)
    vocabulary = model.config.vocab_size
    tokens = [1]
    while len(tokens) < count:
        if torch.rand(1, generator=generator).item() < 0.5:
            tokens.append(int(torch.randint(vocabulary, (1,), generator=generator)))
        else:
            scores = model(torch.tensor([tokens[-32:]])).logits[0, -1]
            tokens.append(int(torch.multinomial(torch.softmax(scores, -1), 1, generator=generator)))
    return tokens


def surprises(model, tokens, window, stride):
    values = []
    covered = 0
    for begin in range(0, len(tokens), stride):
        end = min(begin + window, len(tokens))
        logprobs = torch.log_softmax(model(torch.tensor([tokens[begin:end]])).logits[0], -1)
        for place in range(max(covered, begin + 1), end):
            values.append(-logprobs[place - begin - 1, tokens[place]].item())
        covered = end
        if end == len(tokens):
            return values


@torch.no_grad()
def main():
    root, output = map(pathlib.Path, sys.argv[1:])
    records = []
    for number, name in enumerate(MODELS):
        model = AutoModelForCausalLM.from_pretrained(
            root / name, dtype=torch.float64, attn_implementation="eager"
        ).eval()
        tokens = sample(model, COUNT, number)
        cases = []
        for window, stride in WINDOWS:
            values = surprises(model, tokens, window, stride)
            mean = sum(values) / len(values)
            variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
            perplexity = math.exp(mean)
            cases.append({
                "window": window, "stride": stride, "scored": len(values), "perplexity": perplexity,
                "standard_error": perplexity * math.sqrt(variance / len(values)),
            })
        records.append({"model": name, "tokens": tokens, "cases": cases})
        print(name, [round(case["perplexity"], 3) for case in cases])
    output.write_text(json.dumps(records, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
