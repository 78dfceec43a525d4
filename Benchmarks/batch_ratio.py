"""Batch jobs with shared prefixes: apus batch against itself without sharing and on sorted input, llama.cpp and OpenVINO GenAI.

    apus bench --shape llama-135m --format q4_0 --prompt 0 --generate 0 --keep MODELS
    batch_ratio.py --apus .build/release/apus --model MODELS/random-llama-135m-q4_0.gguf --job 135M-quarter [--openvino FOLDER] [--rounds 3] [--only names]

Every round runs each of them once, one after the other, as a process of its own; times are of whole processes, loading included.
Printed are medians and their ratios to apus batch. Prompts are lists of random token ids (batch_job.py), answers are greedy and of
fixed length. The peers need llama-cpp-python, openvino-genai and numpy: in the Python that runs this, or in those named by --llama-python and
--openvino-python, such as the environments that peers/peers.py makes. FOLDER is a model for OpenVINO made by peers/openvino_model.py.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from batch_job import JOBS, make_job

HERE = pathlib.Path(__file__).parent


def write(path, job):
    with open(path, "w") as file:
        for prompt in job["prompts"]:
            line = {"prompt": prompt, "max_tokens": job["output_tokens"], "temperature": 0, "ignore_eos": True}
            file.write(json.dumps(line) + "\n")


def timed(command):
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return time.perf_counter() - start, json.loads(done.stdout.splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--apus", required=True)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--job", choices=JOBS, default="135M-quarter")
    arguments.add_argument("--openvino", help="folder of the exported model")
    arguments.add_argument("--llama-python", default=sys.executable)
    arguments.add_argument("--openvino-python", default=sys.executable)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--vocabulary", type=int, default=49152)
    arguments.add_argument("--only", nargs="*", help="names of what to run")
    options = arguments.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        job = make_job(vocabulary=options.vocabulary, **JOBS[options.job])
        write(folder / "shuffled", job)
        write(folder / "sorted", {**job, "prompts": sorted(job["prompts"])})

        def apus(name, *flags):
            output = folder / "out"
            for path in folder.glob("out*"):
                path.unlink()
            command = [options.apus, "batch", folder / name, "-o", output, "--model", options.model, "--json"]
            return timed(command + ["--threads", options.threads, *flags])

        runs = {
            "apus batch": lambda: apus("shuffled"),
            "apus batch, sorted input": lambda: apus("sorted"),
            "apus batch --no-sharing": lambda: apus("shuffled", "--no-sharing"),
            "llama.cpp, 16 slots": lambda: timed(
                [options.llama_python, HERE / "batch_llama.py", options.model, options.job, 16, options.threads]),
        }
        if options.openvino:
            runs["OpenVINO GenAI"] = lambda: timed(
                [options.openvino_python, HERE / "batch_openvino.py", options.openvino, options.job, options.threads])
        if options.only:
            runs = {name: runs[name] for name in options.only}
        seconds = {name: [] for name in runs}
        figures = {}
        for _ in range(options.rounds):
            for name, run in runs.items():
                taken, figures[name] = run()
                seconds[name].append(taken)
        tokens = sum(map(len, job["prompts"]))
        print(f"{options.job}: {len(job['prompts'])} prompts, {tokens} tokens of them, {job['prefix_tokens']} in shared prefixes")
        base = statistics.median(seconds[next(iter(runs))])
        for name, taken in seconds.items():
            middle = statistics.median(taken)
            computed = figures[name].get("prefilled_tokens", "–")
            print(f"{name:28} {middle:8.2f} s  {len(job['prompts']) / middle:7.2f} requests/s  ratio {middle / base:6.2f}  "
                  f"prefilled {computed}  of {[round(value, 2) for value in taken]}")


if __name__ == "__main__":
    main()
