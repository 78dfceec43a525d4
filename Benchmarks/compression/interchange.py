"""Folders that Apus writes, in transformers; folders that other programs write, in Apus; and GPTQ beside gptqmodel's.

    swift build -c release
    python3 Benchmarks/compression/interchange.py --environment /tmp/interchange --calibration learnt.txt --text held-out.txt --work /tmp/made

The model is Models/stories. Perplexity is over windows of 1,024 tokens side by side; greedy answers of 48 tokens are to the same prompt tokens, and
the table says how many of them are alike before the first that differs. transformers multiplies in F32, Apus rounds
activations to 8 bits, so nothing here can be equal to the last digit. Installs `torch`, `transformers`, `compressed-tensors`, `optimum`,
`gptqmodel` and `auto-round` into the environment (several gigabytes).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import greedy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = [["torch", "transformers", "compressed-tensors", "auto-round", "accelerate"], ["optimum", "gptqmodel"]]


def note(text):
    print(text, file=sys.stderr, flush=True)


def environment(folder):
    python, mark = f"{folder}/bin/python", f"{folder}/complete"
    if not os.path.exists(mark):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for packages in PACKAGES:
            note(f"installing {' '.join(packages)} into {folder}")
            # gptqmodel builds against the torch that is there, and nothing for accelerators.
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-build-isolation", *packages], check=True,
                           env=os.environ | {"BUILD_CUDA_EXT": "0"})
        open(mark, "w").close()
    return python


class Work:
    def __init__(self, o):
        self.o, self.python = o, environment(os.path.abspath(o.environment))
        self.made = pathlib.Path(o.work)
        self.made.mkdir(parents=True, exist_ok=True)

    def run(self, *command):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError((done.stderr.strip() or "no message").splitlines()[-1][:300])
        return done.stdout

    def peer(self, *arguments):
        return json.loads(self.run(self.python, HERE / "interchange_peers.py", *arguments).splitlines()[-1])

    def apus(self, *arguments):
        return self.run(self.o.apus, *arguments)

    def quantize(self, name, *flags):
        out = self.made / name
        if not out.exists():
            self.apus("quantize", self.o.model, "-o", out, "--bits", "4", "--group", "64", *flags)
        return out

    def other(self, name, *arguments):
        """A folder made by a peer; some put it into one of their own naming."""
        out = self.made / name
        if not out.exists():
            self.peer(arguments[0], self.o.model, out, self.o.calibration, *arguments[1:])
        return next(out.rglob("config.json")).parent

    def row(self, name, folder):
        """Perplexities and answers of both."""
        theirs = self.peer("measure", folder, self.o.text)
        ours = json.loads(self.apus("perplexity", folder, self.o.text, "--stride", "1024", "--json"))["perplexity"]
        alike = greedy.alike(self.apus, folder, theirs["answers"], 48, self.made)
        print(f"| {name} | {theirs['perplexity']:.4f} | {ours:.4f} | {100 * (ours / theirs['perplexity'] - 1):+.2f} % "
              f"| {', '.join(map(str, alike))} of 48 |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=ROOT / ".build/release/apus")
    parser.add_argument("--environment", required=True)
    parser.add_argument("--model", default=ROOT / "Models/stories")
    parser.add_argument("--calibration", required=True, help="at least 32,768 tokens; the first so many are used by all")
    parser.add_argument("--text", required=True)
    parser.add_argument("--work", required=True)
    o = parser.parse_args()
    work = Work(o)
    # Both sides calibrate on the same rows: Apus spreads its rows over the text, so the text must end where they do.
    cut = work.made / "calibration.txt"
    script = ("import sys; from transformers import AutoTokenizer; t = AutoTokenizer.from_pretrained(sys.argv[1]); "
              "ids = t(open(sys.argv[2]).read(), add_special_tokens=False)['input_ids'][:32768]; open(sys.argv[3], 'w').write(t.decode(ids))")
    work.run(work.python, "-c", script, o.model, o.calibration, cut)
    o.calibration = cut
    print("| folder | perplexity, transformers | perplexity, Apus | difference | greedy tokens alike |\n|---|---|---|---|---|")
    work.row("the model itself", o.model)
    calibrated = ["--calibration", cut, "--samples", "64", "--length", "512"]
    for layout in ["compressed-tensors", "gptq", "awq"]:
        work.row(f"Apus, `--layout {layout}`", work.quantize(f"rtn-{layout}", "--method", "rtn", "--layout", layout))
    work.row("Apus, GPTQ by activation order, `--layout gptq`",
             work.quantize("gptq-activation", "--method", "gptq", "--sweeps", "0", "--order", "activation", "--layout", "gptq", *calibrated))
    theirs = {}
    for name, arguments in {
        "gptqmodel, GPTQ": ("gptqmodel", "4", "natural"), "gptqmodel, GPTQ by activation order": ("gptqmodel", "4", "activation"),
        "auto-round, `auto_gptq`": ("auto-round", "4", "auto_gptq"), "auto-round, `auto_awq`": ("auto-round", "4", "auto_awq"),
    }.items():
        try:
            theirs[name] = work.other("-".join(arguments), *arguments)
        except RuntimeError as error:
            print(f"| {name} | could not be made: {error} | | | |", flush=True)
            continue
        work.row(name, theirs[name])
    ours = {
        "Apus, rounding to nearest": work.quantize("rtn-gptq", "--method", "rtn", "--layout", "gptq"),
        "Apus, GPTQ (`--sweeps 0 --order natural`)":
            work.quantize("gptq-natural", "--method", "gptq", "--sweeps", "0", "--order", "natural", "--layout", "gptq", *calibrated),
        "Apus, GPTQ by activation order (`--sweeps 0 --order activation`)": work.made / "gptq-activation",
        "Apus, GPTQ as it is by default": work.quantize("gptq-default", "--method", "gptq", "--layout", "gptq", *calibrated),
    }
    all_models = ours | theirs
    report = json.loads(work.apus("compare", o.model, *all_models.values(), "--text", o.text, "--tasks", "none", "--no-speed", "--json"))
    print("\n| 4 bits, groups of 64 | bytes | KL from the model | top-1 |\n|---|---|---|---|")
    for name, row in zip(all_models, report[1:]):
        print(f"| {name} | {row['bytes']:,} | {row['kl']:.5f} ± {row['kl_details']['stderr']:.5f} | {100 * row['top1']:.1f} % |")


if __name__ == "__main__":
    main()
