"""Solves problems of the arithmetic generator with a model and counts the right answers, by level.

  python solve.py ../../Models/sums --problems test.jsonl --count 600
  python solve.py $WORK/sums/last.pt --problems test.jsonl --count 300 --samples 16 --temperature 0.8
"""
import argparse
import collections
import json
import math
import os
import re

import torch
from safetensors.torch import load_file

import exchange
from generate import continuations
from model import FAMILY, Llama


def load(path, name):
    """A folder of Hugging Face's layout, or a checkpoint of the model `name`."""
    if os.path.isdir(path):
        with open(os.path.join(path, "config.json")) as file:
            network = Llama(json.load(file))
        state = {key: value.float() for key, value in load_file(os.path.join(path, "model.safetensors")).items()}
    else:
        network, state = Llama(FAMILY[name]), torch.load(path, weights_only=False)["network"]
    network.load_state_dict(state)
    return network.eval()


def problems(path, levels, count):
    with open(path, encoding="utf-8") as file:
        found = [p for p in map(json.loads, file) if p["level"] in levels]
    return found[:count]


def answer(text):
    """The number after the last `answer:`; None without one."""
    found = re.findall(r"^answer: (-?\d+)$", text, re.M)
    return int(found[-1]) if found else None


def interval(right, count, z=1.96):
    """Wilson's 95 % interval of a share."""
    p = right / count
    middle, half = p + z * z / (2 * count), z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def measure(network, t, chosen, samples=1, temperature=0.0, limit=256):
    """({level or "all": figures}, [(problem, texts)])."""
    prompts = [exchange.prompt(t, [("user", p["question"].strip())]) for p in chosen for _ in range(samples)]
    said = continuations(network, prompts, limit, temperature, seed=1)
    counts, told = collections.defaultdict(collections.Counter), []
    for index, problem in enumerate(chosen):
        texts = [t.decode(ids) for ids in said[index * samples:(index + 1) * samples]]
        answers = [answer(text) for text in texts]
        good = [a == problem["answer"] for a in answers]
        votes = collections.Counter(a for a in answers if a is not None)
        for level in (problem["level"], "all"):
            counts[level].update(problems=1, right=sum(good) / samples, once=any(good),
                                 majority=bool(votes) and votes.most_common(1)[0][0] == problem["answer"])
        told.append((problem, texts))
    figures = {}
    for level, c in counts.items():
        n = c["problems"]
        figures[level] = {"problems": n, "accuracy": c["right"] / n}
        if samples == 1:
            figures[level]["interval"] = interval(c["right"], n)
        else:
            figures[level].update({f"pass_at_{samples}": c["once"] / n, f"majority_at_{samples}": c["majority"] / n})
    return figures, told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--name", default="sums")
    parser.add_argument("--problems", required=True)
    parser.add_argument("--levels", default="4,5,6")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="so many wrong solutions are printed")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    chosen = problems(o.problems, {int(level) for level in o.levels.split(",")}, o.count)
    figures, told = measure(load(o.model, o.name), exchange.tokenizer(), chosen, o.samples, o.temperature)
    for problem, texts in told:
        if answer(texts[0]) != problem["answer"] and o.show > 0:
            o.show -= 1
            print(f"--- {problem['question']}\n{texts[0]}\n(right: {exchange.solution(problem)!r})")
    for level in sorted(figures, key=str):
        print(level, json.dumps(figures[level]))


if __name__ == "__main__":
    main()
