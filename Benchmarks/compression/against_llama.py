"""Apus's compression beside llama.cpp's K-quants with an importance matrix, at equal bytes, from the same calibration text.

    swift build -c release
    python3 Benchmarks/compression/against_llama.py --environment /tmp/peers --model Models/stories \\
        --calibration learnt.txt --text held-out.txt --work /tmp/against

For each of llama.cpp's types the base is quantized by llama.cpp's own code (`llama_model_quantize`, its own mixture of types for the tensors)
with the importance matrix of the calibration text; then Apus makes models of no more bytes from the same base and text, one for each
recipe below. All are measured by `apus compare` on the held-out text. Bytes are those of all tensors.

Needs `torch`, `transformers`, `safetensors`, `gguf`, `numpy` here and `llama-cpp-python` in the environment of peers.py.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KINDS = ["Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q6_K"]
# Apus's recipes: a name and what it adds to `apus quantize BASE -o OUT --calibration TEXT --budget BYTES`.
RECIPES = {
    "gguf, gptq": {"end": ".gguf", "flags": ["--method", "gptq"]},
    "gguf, importance": {"end": ".gguf", "flags": ["--method", "importance"]},
}


def run(command):
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise RuntimeError(f"{' '.join(map(str, command[:3]))} … failed ({done.returncode}): {lines[-1]}")
    return done.stdout, time.monotonic() - began


def weight_bytes(apus, model):
    return json.loads(run([apus, "inspect", model, "--json"])[0])["weight_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=ROOT / ".build/release/apus")
    parser.add_argument("--environment", required=True, help="the folder of peers.py")
    parser.add_argument("--model", required=True, help="a folder of the llama architecture")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--text", required=True, help="held-out text")
    parser.add_argument("--work", required=True)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--json", help="where to write all figures")
    o = parser.parse_args()
    from export_gguf import export
    from importance import importance

    work = pathlib.Path(o.work)
    work.mkdir(parents=True, exist_ok=True)
    base = work / "base.gguf"
    export(o.model, base)
    matrix, tokens = importance(o.model, o.calibration)
    np.savez(work / "importance.npz", **matrix)
    python = pathlib.Path(o.environment) / "llama/bin/python"
    print(f"importance from {tokens} tokens", file=sys.stderr)
    made, notes = {}, []
    for kind in o.kinds.split(","):
        path = work / f"llama-{kind}.gguf"
        _, seconds = run([python, HERE / "llama_quantize.py", base, work / "importance.npz", kind, path])
        size = weight_bytes(o.apus, path)
        made[str(path)] = {"who": "llama.cpp", "kind": kind, "recipe": kind, "seconds": seconds, "budget": size}
        for name, recipe in RECIPES.items():
            out = work / f"apus-{kind}-{name.replace(', ', '-')}{recipe['end']}"
            command = [o.apus, "quantize", o.model, "-o", out, "--force", "--calibration", o.calibration, "--budget", f"{size}B"]
            try:
                _, seconds = run(command + recipe["flags"])
            except RuntimeError as error:
                notes.append(f"{kind}, {name}: {error}")
                continue
            made[str(out)] = {"who": "apus", "kind": kind, "recipe": name, "seconds": seconds, "budget": size}
    rows = json.loads(run([o.apus, "compare", o.model, *made, "--text", o.text, "--tasks", "none", "--no-speed", "--json"])[0])
    for row in rows[1:]:
        row |= made[row["model"]]
    print("| at the bytes of | recipe | bytes | bits a weight | KL | median | 99 % | top-1 | perplexity ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows[1:]:
        over = " (over)" if row["bytes"] > row["budget"] else ""
        print(f"| {row['kind']} | {row['who']}: {row['recipe']} | {row['bytes']:,}{over} | {row['bpw']:.2f} "
              f"| {row['kl']:.5f} ± {row['kl_details']['stderr']:.5f} | {row['kl_details']['median']:.5f} "
              f"| {row['kl_details']['p99']:.4f} | {100 * row['top1']:.2f} % | {row['perplexity_ratio']:.4f} |")
    for note in notes:
        print("not made:", note)
    for kind in o.kinds.split(","):
        own = [row for row in rows[1:] if row["kind"] == kind and row["who"] == "apus" and row["bytes"] <= row["budget"]]
        theirs = [row for row in rows[1:] if row["kind"] == kind and row["who"] == "llama.cpp"]
        if own and theirs:
            best = min(own, key=lambda row: row["kl"])
            print(f"{kind}: KL of Apus's best ({best['recipe']}) is {best['kl'] / theirs[0]['kl']:.2f} of llama.cpp's")
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
