"""Every method of `apus quantize` at 2, 3, 4, 6 and 8 bits on one model, compared on held-out text: the Pareto table.

    swift build -c release
    python3 Benchmarks/compression/pareto.py --model Models/stories --calibration learnt.txt --text held-out.txt --work /tmp/pareto

What was made before is kept in --work and made again only with --again. A recipe that the command refuses is listed with its reason. Bytes
are those of all tensors. --recipes REGEX takes those alone whose name matches.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BITS = [2, 3, 4, 6, 8]
METHODS = ["rtn", "importance", "gptq", "awq", "awq+gptq", "squeezellm", "smoothquant", "os+"]
NEEDS_TEXT = {"importance", "gptq", "awq", "awq+gptq", "squeezellm", "smoothquant", "os+"}


def recipes():
    """Names, output endings and flags, in the order of the table."""
    found = []

    def add(name, end, *flags):
        found.append((name, end, list(flags)))

    # The same types in GGUF files: K-quants, embedding Q6_K as the command has it by default.
    for bits in BITS:
        for method in ["rtn", "importance", "gptq", "awq", "awq+gptq"]:
            add(f"gguf {bits} {method}", ".gguf", "--method", method, "--bits", str(bits))
    # Integers with group scales, in folders; embedding left as it is by default.
    for bits in BITS:
        for method in METHODS:
            add(f"int{bits} {method}", "", "--method", method, "--bits", str(bits), "--group", "64")
    add("int4 finequant", "", "--method", "finequant", "--bits", "4")
    # Groups: finer scales against coarser ones.
    for group in [32, 128]:
        add(f"int4 g{group} rtn", "", "--method", "rtn", "--bits", "4", "--group", str(group))
        add(f"int4 g{group} gptq", "", "--method", "gptq", "--bits", "4", "--group", str(group))
    # Other number formats.
    for name in ["FP4_E2M1_G32", "FP4_E1M2_G32", "FP4_E3M0_G32", "NF4_G64", "MXFP4", "FP6_E2M3_G128", "FP6_E3M2_G128",
                 "FP8_E4M3_G128", "FP8_E5M2_G128", "INT4_G32", "INT6_G128", "INT8_G128"]:
        for method in ["rtn", "gptq"]:
            add(f"{name.lower()} {method}", "", "--method", method, "--format", name)
    # Mixed formats under a budget.
    for budget in ["2.5bpw", "3bpw", "3.5bpw", "4bpw", "4.5bpw", "5bpw", "6.5bpw"]:
        add(f"budget {budget} rtn", ".gguf", "--method", "importance", "--budget", budget)
        add(f"budget {budget} gptq", ".gguf", "--method", "gptq", "--budget", budget)
    return found


def run(command):
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return done, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=ROOT / ".build/release/apus")
    parser.add_argument("--model", required=True)
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--recipes", default="")
    parser.add_argument("--tasks", default="none")
    parser.add_argument("--rates", action="store_true", help="measure prefill and decode too")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--svg")
    o = parser.parse_args()
    work = pathlib.Path(o.work)
    work.mkdir(parents=True, exist_ok=True)
    made, refused = {}, []
    for name, end, flags in recipes():
        if not re.search(o.recipes, name):
            continue
        out = work / (re.sub(r"[^a-z0-9.+]+", "-", name) + end)
        if o.again or not out.exists():
            command = [o.apus, "quantize", o.model, "-o", out, "--force", *flags]
            method = flags[flags.index("--method") + 1]
            if method in NEEDS_TEXT or "--budget" in flags:
                command += ["--calibration", o.calibration]
            done, seconds = run(command)
            print(f"{name}: {seconds:.1f} s, code {done.returncode}", file=sys.stderr, flush=True)
            if done.returncode != 0:
                refused.append((name, (done.stderr.strip().splitlines() or ["no message"])[-1]))
                continue
        made[str(out)] = name
    command = [o.apus, "compare", o.model, *made, "--text", o.text, "--tasks", o.tasks, "--json"]
    command += [] if o.rates else ["--no-speed"]
    command += ["--svg", o.svg] if o.svg else []
    done, seconds = run(command)
    if done.returncode != 0:
        sys.exit(f"apus compare: {done.stderr.strip()}")
    rows = json.loads(done.stdout)
    for row in rows[1:]:
        row["recipe"] = made[row["model"]]
    rows[0]["recipe"] = "base"
    print(f"{rows[0]['tokens']:,} tokens scored; base: perplexity {rows[0]['perplexity']:.3f}, {rows[0]['bytes']:,} bytes\n")
    print("| recipe | bytes | bits a weight | KL | top-1 | perplexity ratio | draws at 0.8 | front |" + (" decode |" if o.rates else ""))
    print("|---|---|---|---|---|---|---|---|" + ("---|" if o.rates else ""))
    for row in rows[1:]:
        draw = next(t["same_draw"] for t in row["temperatures"] if abs(t["temperature"] - 0.8) < 1e-6)
        print(f"| {row['recipe']} | {row['bytes']:,} | {row['bpw']:.2f} | {row['kl']:.5f} ± {row['kl_details']['stderr']:.5f} "
              f"| {100 * row['top1']:.2f} % | {row['perplexity_ratio']:.4f} ± {row['perplexity_ratio_stderr']:.4f} "
              f"| {100 * draw:.1f} % | {'*' if row['on_front'] else ''} |" + (f" {row['decode']:.0f} |" if o.rates else ""))
    for name, reason in refused:
        print(f"\nnot made: {name}: {reason}")
    print("\n" + rows[0]["recommendation"])
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
