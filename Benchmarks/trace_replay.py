"""Replays of request traces: what clients of Apus and of llama.cpp's server see when requests come as they came to a real service.

    swift build -c release --product EngineRuns
    apus bench --shape llama-135m --format q4_0 --prompt 0 --generate 0 --keep MODELS
    trace_replay.py --model MODELS/random-llama-135m-q4_0.gguf --mooncake mooncake_conversation_trace.jsonl --rate 0.5
    trace_replay.py --model MODELS/random-llama-135m-q4_0.gguf --azure AzureLLMInferenceTrace_conv.csv --rate 0.5 --lengths 4

The traces: Mooncake's conversations (JSON lines: timestamp, input_length, output_length, hash_ids of blocks of 512 tokens, equal where
prompts begin alike) and Azure's (CSV: TIMESTAMP, ContextTokens, GeneratedTokens; nothing of what prompts share, so nothing is shared here).

They are scaled to the machine: lengths of prompts, of shared blocks and of answers are divided by --lengths, rounded up; times are stretched
so that --requests requests, from the first on, come at --rate a second on average. Those longer than --longest tokens after that are left out.
Tokens are random, the same for one block of the trace; answers are greedy and as long as in the trace. The program compares every answer of Apus with
the one that the same request gets alone, to the bit.

Printed: time to the first token and between tokens (p50, p99 over all), goodput (answers a second whose first token came within --ttft seconds
and whose tokens came --itl seconds apart at most on average). --rounds runs each engine so often, in turn; medians are printed.
"""
import argparse
import csv
import datetime
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
BLOCK = 512


def block(number, length, vocabulary):
    rng = random.Random(number)
    return [rng.randrange(1000, vocabulary) for _ in range(length)]


def read_mooncake(path, options):
    """(seconds, prompt, tokens of the answer) of each request."""
    for line in open(path):
        row = json.loads(line)
        length = -(-row["input_length"] // options.lengths)
        size = BLOCK // options.lengths
        prompt = [token for number in row["hash_ids"] for token in block(number, size, options.vocabulary)]
        # What the last block of the trace does not fill is cut off; rounding up may ask for a few tokens more than the blocks give.
        prompt += block(-len(prompt) - 1, max(0, length - len(prompt)), options.vocabulary)
        yield row["timestamp"] / 1000, prompt[:length], -(-row["output_length"] // options.lengths)


def read_azure(path, options):
    begin = None
    for number, row in enumerate(csv.DictReader(open(path))):
        time = datetime.datetime.fromisoformat(row["TIMESTAMP"][:26])
        begin = begin or time
        length = -(-int(row["ContextTokens"]) // options.lengths)
        prompt = block(number, length, options.vocabulary)
        yield (time - begin).total_seconds(), prompt, max(1, -(-int(row["GeneratedTokens"]) // options.lengths))


def workload(rows, options):
    chosen = []
    for at, prompt, output in rows:
        if len(prompt) + output <= options.longest:
            chosen.append((at, prompt, output))
        if len(chosen) == options.requests:
            break
    span = max(chosen[-1][0] - chosen[0][0], 1e-9)
    stretch = (len(chosen) - 1) / options.rate / span
    return [{"at": (at - chosen[0][0]) * stretch, "prompt": prompt, "output": output} for at, prompt, output in chosen]


def quantile(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


def figures(result, requests, options):
    first = [times[0] - request["at"] for times, request in zip(result["times"], requests)]
    gaps = [later - earlier for times in result["times"] for earlier, later in zip(times, times[1:])]
    good = sum(
        wait <= options.ttft and (times[-1] - times[0]) / max(len(times) - 1, 1) <= options.itl
        for wait, times in zip(first, result["times"]))
    return {
        "ttft_p50": quantile(first, 0.5), "ttft_p99": quantile(first, 0.99), "itl_p50": quantile(gaps, 0.5),
        "itl_p99": quantile(gaps, 0.99), "goodput": good / result["seconds"], "good": good, "seconds": result["seconds"],
        "prefilled": result["prefilled_tokens"],
    }


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    trace = parser.add_mutually_exclusive_group(required=True)
    trace.add_argument("--mooncake")
    trace.add_argument("--azure")
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--lengths", type=int, default=16)
    parser.add_argument("--longest", type=int, default=4096)
    parser.add_argument("--vocabulary", type=int, default=49152)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--llama-python", default=sys.executable, help="a Python with llama-cpp-python and numpy")
    parser.add_argument("--slots", type=int, default=16, help="of llama.cpp")
    parser.add_argument("--targets", type=int, nargs="+", default=[0], help="--target-itl of Apus in ms, 0 for none")
    parser.add_argument("--ttft", type=float, default=4.0)
    parser.add_argument("--itl", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of what to run")
    parser.add_argument("--results", help="a file that figures are added to, one line of JSON each")
    options = parser.parse_args()
    rows = read_mooncake(options.mooncake, options) if options.mooncake else read_azure(options.azure, options)
    requests = workload(rows, options)
    tokens = sum(len(request["prompt"]) for request in requests)
    print(
        f"{len(requests)} requests, {options.rate} a second, lengths / {options.lengths}: {tokens} tokens of prompts, "
        f"{sum(request['output'] for request in requests)} of answers, longest prompt {max(len(r['prompt']) for r in requests)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "workload.jsonl"
        path.write_text("".join(json.dumps(request) + "\n" for request in requests))
        program = HERE.parent / ".build/release/EngineRuns"
        runs = {}
        for target in options.targets:
            name = f"apus, target {target} ms" if target else "apus"
            runs[name] = [program, "replay", options.model, path, options.threads, 64, target]
        runs["llama.cpp"] = [options.llama_python, HERE / "replay_llama.py", options.model, path, options.slots, options.threads]
        if options.only:
            runs = {name: runs[name] for name in options.only}
        results = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, command in runs.items():
                result = run(command)
                found = figures(result, requests, options)
                results[name].append(found)
                if "compared" in result:
                    print(f"{name}: {result['compared']} answers compared with the same request alone, {result['different']} differ; "
                          f"{result['preemptions']} preemptions", flush=True)
                if options.results:
                    with open(options.results, "a") as file:
                        file.write(json.dumps({"engine": name, "trace": options.mooncake or options.azure, "rate": options.rate, **found}) + "\n")
    print(f"{'':22} TTFT p50   p99   ITL p50    p99 ms   goodput/s   good   seconds   prefilled")
    for name, found in results.items():
        m = {key: statistics.median(one[key] for one in found) for key in found[0]}
        print(
            f"{name:22} {m['ttft_p50']:8.2f} {m['ttft_p99']:6.2f} {1000 * m['itl_p50']:8.0f} {1000 * m['itl_p99']:8.0f}    "
            f"{m['goodput']:8.3f} {m['good']:7.0f} {m['seconds']:9.1f} {m['prefilled']:10.0f}")


if __name__ == "__main__":
    main()
