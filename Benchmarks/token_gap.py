"""The time between tokens of running answers while a long prompt is computed, with and without a target.

    swift build -c release --product EngineRuns
    apus bench --shape llama-42m --format q8_0 --prompt 0 --generate 0 --keep MODELS
    token_gap.py --model MODELS/random-llama-42m-q8_0.gguf [--prompt 16384] [--answers 4] [--targets 0 100] [--rounds 3]

Answers run for two seconds, then the prompt comes; gaps are those of the answers from then until the prompt's first token. Each round runs every
target in turn (0: none); the medians of the rounds are printed. Any model with room for the prompt will do.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", type=int, default=16384)
    parser.add_argument("--answers", type=int, default=4)
    parser.add_argument("--targets", type=int, nargs="+", default=[0, 100])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    program = HERE.parent / ".build/release/EngineRuns"
    rows = {target: [] for target in options.targets}
    for _ in range(options.rounds):
        command = [program, "gap", options.model, options.prompt, options.answers, *options.targets]
        output = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
        for line in output.splitlines():
            row = json.loads(line)
            rows[row["target_ms"]].append(row)
            print(line, flush=True)
    print(f"{options.prompt} tokens of prompt beside {options.answers} answers, medians of {options.rounds} rounds")
    print("target ms   alone p50 ms   p50 ms   p99 ms   max ms   prompt s")
    for target, results in rows.items():
        def median(key):
            return statistics.median(result[key] for result in results)

        print(
            f"{target or 'none':>9} {1000 * median('alone_p50'):14.1f} {1000 * median('p50'):8.1f} {1000 * median('p99'):8.1f} "
            f"{1000 * median('max'):8.1f} {median('prompt_seconds'):10.1f}")


if __name__ == "__main__":
    main()
