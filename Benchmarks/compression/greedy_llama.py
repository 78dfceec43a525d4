"""GGUF files that Apus writes, in llama.cpp: how many greedy tokens are Apus's own.

    swift build -c release
    python3 Benchmarks/compression/greedy_llama.py --environment /tmp/peers --work /tmp/greedy

Models/stories is rounded to nearest in each type; both continue the same prompt tokens by 64, greedily. llama.cpp rounds activations
in blocks of 32 for the types of 32 numbers, as Apus does for all, and in blocks of 256 for the K types. --environment is the folder of peers.py.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import greedy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KINDS = "F16,Q8_0,Q5_1,Q5_0,Q4_1,Q4_0,IQ4_NL,MXFP4,Q6_K,Q5_K,Q4_K,Q3_K,Q2_K,IQ4_XS"
PROMPTS = ["Once upon a time", "Tom and his dog went to the park.", "One day, a little girl named Lily found a needle", "The sun was warm and"]
TOKENS = 64
PEER = """
import json, sys
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx=512, n_threads=2, verbose=False)
answers = []
for prompt in json.loads(sys.argv[2]):
    begin = model.tokenize(prompt.encode(), add_bos=False)
    new = []
    for token in model.generate(begin, temp=0.0, top_k=1, repeat_penalty=1.0):
        if token == model.token_eos() or len(new) == int(sys.argv[3]):
            break
        new.append(token)
    texts = [model.detokenize(begin + new[: count + 1])[len(model.detokenize(begin)):].decode(errors="ignore") for count in range(len(new))]
    answers.append({"prompt": begin, "texts": texts})
print(json.dumps(answers))
"""


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:3]))} … failed: {(done.stderr.strip() or 'no message').splitlines()[-1][:300]}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=ROOT / ".build/release/apus")
    parser.add_argument("--environment", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--kinds", default=KINDS)
    o = parser.parse_args()
    work = pathlib.Path(o.work)
    work.mkdir(parents=True, exist_ok=True)
    print(f"| type | tokens alike, of {TOKENS} or of all until the end |\n|---|---|")
    for kind in o.kinds.split(","):
        path = work / f"{kind}.gguf"
        if not path.exists():
            run(o.apus, "quantize", ROOT / "Models/stories", "-o", path, "--method", "rtn", "--format", kind, "--embedding-format", kind)
        answers = json.loads(run(f"{o.environment}/llama/bin/python", "-c", PEER, path, json.dumps(PROMPTS), TOKENS).splitlines()[-1])
        counts = greedy.alike(lambda *arguments: run(o.apus, *arguments), path, answers, TOKENS, work)
        alike = [f"{count} of {len(answer['texts'])}" for count, answer in zip(counts, answers)]
        print(f"| {kind} | {', '.join(alike)} |", flush=True)


if __name__ == "__main__":
    main()
