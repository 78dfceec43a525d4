"""Does decode get faster in proportion to the bytes saved? One sequence, a model of random weights in each format, turn and turn about.

    swift build -c release
    python3 Benchmarks/compression/decode_rates.py --shape llama-1b --rounds 3

The base is BF16. The last column is (rate / base's rate) / (base's bytes / bytes): 1 where the time of a token is that of its bytes. Bytes are
those a token reads: weights and cache. Rates are medians over the rounds; a round takes every format once.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FORMATS = ("q8_0,int8-g128,fp8-e4m3-g128,fp8-e5m2-g128,q6_k,int6-g128,fp6-e2m3-g128,fp6-e3m2-g128,q5_k,int5-g128,q4_0,q4_k,iq4_nl,int4-g64,"
           "int4-g128,int4-g128-zp,fp4-e2m1-g32,mxfp4,nf4-g64,q3_k,int3-g64,q2_k,int2-g64")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=ROOT / ".build/release/apus")
    parser.add_argument("--shape", default="llama-1b")
    parser.add_argument("--formats", default=FORMATS)
    parser.add_argument("--base", default="bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--generate", default="24")
    o = parser.parse_args()
    rates, shares, sizes = {}, {}, {}
    names = [o.base] + o.formats.split(",")
    for number in range(o.rounds):
        for name in names:
            command = [o.apus, "bench", "--shape", o.shape, "--format", name, "--prompt", "0", "--generate", o.generate, "--batch", "1",
                       "--threads", o.threads, "--repeats", "1", "--json"]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{name}: {done.stderr.strip()}")
            report = json.loads(done.stdout)
            row = report["decode"][0]
            rates.setdefault(name, []).append(row["tokens_per_s"])
            shares.setdefault(name, []).append(row["share_of_read"])
            sizes[name] = row["bytes_per_step"]
            print(f"round {number + 1}: {name} {row['tokens_per_s']:.1f}", file=sys.stderr, flush=True)
    middle = {name: statistics.median(each) for name, each in rates.items()}
    print(f"| format | MB a token | tokens/s | of read | faster than {o.base} | bytes saved | of that |\n|---|---|---|---|---|---|---|")
    for name in names:
        faster, saved = middle[name] / middle[o.base], sizes[o.base] / sizes[name]
        print(f"| {name} | {sizes[name] / 1e6:.0f} | {middle[name]:.1f} | {100 * statistics.median(shares[name]):.0f} % | {faster:.2f} | {saved:.2f} "
              f"| {100 * faster / saved:.0f} % |")


if __name__ == "__main__":
    main()
