"""Solutions labelled step by step, to train and to measure the process reward model.

After each line of a solution (the newline's token; after the last line <|end|>) stands a label: whether every step so far is
right, the last line included. The labels are the exact checker's: `apus eval label`.

  python steps.py sample ../../Models/sums --problems train.jsonl --count 1000 --samples 4 --out samples.jsonl
  python steps.py spoil --problems train.jsonl --count 20000 --out spoilt.jsonl
  python steps.py measure ../../Models/sums-prm --input held.jsonl
"""
import argparse
import json
import os
import random
import re
import subprocess
import tempfile

import torch

import exchange
import solve
from generate import END

GOOD, BAD, NEWLINE = 11, 12, 214
CONVENTION = {"good": GOOD, "bad": BAD, "newline": NEWLINE, "end": END}
STEP = re.compile(r"(\d+)\. (\d+) ([-+*/]) (\d+) = (\d+)")


def value(a, symbol, b):
    a, b = int(a), int(b)
    if symbol == "/":
        return a // b if b and a % b == 0 else None
    return {"+": a + b, "-": a - b, "*": a * b}[symbol]


def labels(apus, problems, texts):
    """For each text one boolean a line that is not empty: whether this line and all before it are right."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for problem, text in zip(problems, texts):
            file.write(json.dumps({"plan": problem["plan"], "solution": text}) + "\n")
        file.flush()
        said = subprocess.run([apus, "eval", "label", file.name], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line)["labels"] for line in said.splitlines()]


def records(t, apus, problems, said):
    """The whole sequences with their places to score, from the ids that were said; those that did not end are left out."""
    chosen = [(p, ids) for p, ids in zip(problems, said) if ids and ids[-1] == END and len(ids) <= 400]
    texts = [t.decode(ids[:-1], skip_special_tokens=False) for _, ids in chosen]
    for (problem, ids), marks in zip(chosen, labels(apus, [p for p, _ in chosen], texts)):
        begin = exchange.prompt(t, [("user", problem["question"].strip())])
        at = [len(begin) + i for i, token in enumerate(ids) if token in (NEWLINE, END)]
        if len(at) == len(marks):  # no empty lines
            yield {"ids": begin + ids, "at": at, "good": [GOOD if mark else BAD for mark in marks]}


def sampled(t, o, problems):
    """What `apus batch` answers to each problem, as tokens; nothing for an answer that was cut short."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = os.path.join(folder, "requests.jsonl"), os.path.join(folder, "answers.jsonl")
        with open(asked, "w") as file:
            for index, problem in enumerate(problems):
                body = {"custom_id": str(index), "messages": [{"role": "user", "content": problem["question"]}],
                        "temperature": o.temperature, "top_p": 1, "max_tokens": 300, "seed": o.seed * 1000003 + index}
                file.write(json.dumps(body) + "\n")
        subprocess.run([o.apus, "batch", asked, "-o", told, "--model", o.model], check=True)
        out = [[] for _ in problems]
        with open(told) as file:
            for answer in map(json.loads, file):
                choice = answer["response"]["body"]["choices"][0]
                if choice["finish_reason"] == "stop":
                    out[int(answer["custom_id"])] = t.encode(choice["message"]["content"], add_special_tokens=False).ids + [END]
        return out


def spoilt(problem, r):
    """The reference solution with one mistake, which the later steps take along as far as they use the number."""
    steps = [list(STEP.fullmatch(step).groups()) for step in problem["steps"]]
    at = r.randrange(len(steps))
    number, a, symbol, b, c = steps[at]
    kind = r.randrange(4)
    if kind == 0:  # a wrong result
        wrong = int(c) + r.choice([-1, 1, -10, 10, r.randint(-20, 20), -100, 100])
    elif kind == 1:  # a wrong operation, done right
        others = [s for s in "+-*/" if s != symbol and (value(a, s, b) or 0) > 0]
        steps[at][2] = r.choice(others)
        wrong = value(a, steps[at][2], b)
    else:  # a wrong operand, done right: another number of the solution or of the question
        pool = re.findall(r"\d+", problem["question"]) + [x for s in steps[:at + 1] for x in s[1::2] if x.isdigit()]
        place = r.choice([1, 3])
        steps[at][place] = r.choice(pool) if kind == 2 else str(max(0, int(steps[at][place]) + r.choice([-10, -1, 1, 10])))
        wrong = value(steps[at][1], steps[at][2], steps[at][3])
    if wrong is None or wrong < 0 or str(wrong) == c and steps[at][1:4] == [a, symbol, b]:
        return None
    steps[at][4] = str(wrong)
    changed = {c: str(wrong)}
    for step in steps[at + 1:]:
        before = step[4]
        step[1], step[3] = changed.get(step[1], step[1]), changed.get(step[3], step[3])
        result = value(step[1], step[2], step[3])
        if result is None or result < 0:
            return None
        step[4] = str(result)
        changed[before] = step[4]
    lines = [f"{n}. {a} {s} {b} = {c}" for n, a, s, b, c in steps]
    return "\n".join(lines + [f"answer: {steps[-1][4]}"])


@torch.no_grad()
def scores(network, records):
    """[(score, whether right, whether it is the last line)] of every labelled place."""
    out = []
    for at in range(0, len(records), 64):
        part = records[at:at + 64]
        tokens = torch.full((len(part), max(len(x["ids"]) for x in part)), 2)
        for row, x in enumerate(part):
            tokens[row, :len(x["ids"])] = torch.tensor(x["ids"])
        features = network.features(tokens)
        weight = network.model.embed_tokens.weight[[GOOD, BAD]]
        for row, x in enumerate(part):
            p = (features[row, x["at"]] @ weight.T).softmax(-1)[:, 0]
            last = len(x["at"]) - 1
            out += [(s, mark == GOOD, i == last) for i, (s, mark) in enumerate(zip(p.tolist(), x["good"]))]
    return out


def area(pairs):
    """Area under the curve: how often a right one scores above a wrong one, ties half."""
    ordered = sorted(pairs)
    ranks, i = 0.0, 0
    while i < len(ordered):
        j = i
        while j < len(ordered) and ordered[j][0] == ordered[i][0]:
            j += 1
        ranks += sum((i + j + 1) / 2 for x in ordered[i:j] if x[1])
        i = j
    good = sum(1 for _, mark in ordered if mark)
    return (ranks - good * (good + 1) / 2) / (good * (len(ordered) - good))


def measured(network, records):
    found = scores(network, records)
    first = []  # without what follows a mistake: only right steps and the first wrong one
    for x, marks in zip(records, split(found, records)):
        wrong = next((i for i, m in enumerate(marks) if not m[1]), len(marks) - 1)
        first += marks[:wrong + 1]
    return {"solutions": len(records), "places": len(found), "right": sum(m[1] for m in found) / len(found),
            "area": area([(s, m) for s, m, _ in found]), "area_up_to_first_mistake": area([(s, m) for s, m, _ in first]),
            "area_last_line": area([(s, m) for s, m, last in found if last])}


def split(found, records):
    at = 0
    for x in records:
        yield found[at:at + len(x["at"])]
        at += len(x["at"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["sample", "spoil", "measure"])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--problems")
    parser.add_argument("--levels", default="3,4,5,6")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apus", default="apus", help="the command whose `eval label` checks solutions")
    parser.add_argument("--input")
    parser.add_argument("--out")
    o = parser.parse_args()
    torch.set_num_threads(1)
    t = exchange.tokenizer()
    if o.command == "measure":
        with open(o.input) as file:
            print(json.dumps(measured(solve.load(o.model, "sums-prm"), [json.loads(line) for line in file]), indent=1))
        return
    chosen = solve.problems(o.problems, {int(x) for x in o.levels.split(",")}, o.skip + o.count)[o.skip:]
    random.Random(o.seed).shuffle(chosen)
    if o.command == "sample":
        chosen = [p for p in chosen for _ in range(o.samples)]
        said = sampled(t, o, chosen)
    else:
        r, texts = random.Random(o.seed), []
        texts = [exchange.solution(p) if r.random() < 0.25 else spoilt(p, r) for p in chosen]
        chosen = [p for p, text in zip(chosen, texts) if text]
        said = [t.encode(text, add_special_tokens=False).ids + [END] for text in texts if text]
    written = marks = good = 0
    with open(o.out, "w") as file:
        for x in records(t, o.apus, chosen, said):
            file.write(json.dumps(x) + "\n")
            written, marks, good = written + 1, marks + len(x["at"]), good + x["good"].count(GOOD)
    print(f"{written} solutions of {len(said)}, {marks} places, {100 * good / max(1, marks):.1f} % right")


if __name__ == "__main__":
    main()
