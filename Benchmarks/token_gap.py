"""The time between tokens of running answers while a long prompt is computed, with and without a target.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install numpy gguf
    swift build -c release --package-path Benchmarks/TokenGap
    /tmp/peers/bin/python Benchmarks/token_gap.py [--prompt 16384] [--answers 4] [--targets 0 100] [--rounds 3]

Weights are random (30 M parameters, Q8_0): only speed is measured. Each round runs every target in turn; the medians of the
rounds are printed.
"""
import argparse, json, pathlib, statistics, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import decode_ratio
from gguf.constants import GGMLQuantizationType

HERE = pathlib.Path(__file__).parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompt", type=int, default=16384)
    parser.add_argument("--answers", type=int, default=4)
    parser.add_argument("--targets", type=int, nargs="+", default=[0, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", help="a model with room for the prompt; random weights if left out")
    options = parser.parse_args()
    program = HERE / "TokenGap/.build/release/TokenGap"
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if not model:
            model = f"{folder}/model.gguf"
            decode_ratio.WIDTH, decode_ratio.INNER, decode_ratio.LAYERS = 384, 1024, 12
            decode_ratio.HEADS, decode_ratio.CACHE_HEADS, decode_ratio.VOCABULARY = 6, 2, 16384
            decode_ratio.CONTEXT = options.prompt + 1024
            decode_ratio.write_model(model, GGMLQuantizationType.Q8_0)
        rows = {target: [] for target in options.targets}
        for _ in range(options.rounds):
            command = [program, model, options.prompt, options.answers, *options.targets]
            output = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout
            for line in output.splitlines():
                row = json.loads(line)
                rows[row["target_ms"]].append(row)
    print(f"{options.prompt} tokens of prompt beside {options.answers} answers, medians of {options.rounds} rounds")
    print("target ms   p50 ms   p99 ms   max ms   prompt s")
    for target, results in rows.items():
        median = lambda key: statistics.median(r[key] for r in results)
        print(
            f"{target or 'none':>9} {1000 * median('p50'):8.1f} {1000 * median('p99'):8.1f} "
            f"{1000 * median('max'):8.1f} {median('prompt_seconds'):10.1f}")


if __name__ == "__main__":
    main()
