"""A batch job on a Ray cluster: ray_batch.py IN.jsonl OUT.jsonl MODEL [shards]

Each shard is a row of a Ray dataset; whichever worker gets it runs `apus batch --shard i/n --resume` on the file system that all
workers share. When a worker is lost, Ray gives its shard to another one, which goes on where the lost one stopped.
"""
import ctypes
import json
import pathlib
import shutil
import signal
import subprocess
import sys

import ray

APUS = shutil.which("apus") or "apus"


def die_with_worker():
    """In the child: a lost worker takes its process along, which would hold the shard's progress otherwise."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG.


class RunShard:
    def __init__(self, requests, answers, model, shards, cpus):
        self.command = [APUS, "batch", requests, "--model", model, "--threads", str(cpus), "--resume", "--json"]
        self.answers, self.shards = answers, shards

    def __call__(self, row):
        number = row["shard"]
        output = f"{self.answers}.{number}"
        command = self.command + ["-o", output, "--shard", f"{number}/{self.shards}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_worker)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return {"shard": number, "output": output, **json.loads(done.stdout.splitlines()[-1])}


def main(requests, answers, model, shards=8, cpus=1, workers=2):
    requests, answers = str(pathlib.Path(requests).resolve()), str(pathlib.Path(answers).resolve())
    rows = ray.data.from_items([{"shard": number} for number in range(1, shards + 1)], override_num_blocks=shards)
    results = rows.map(
        RunShard, fn_constructor_args=(requests, answers, model, shards, cpus), num_cpus=cpus, concurrency=workers,
        # A worker may be lost any number of times; what a shard has finished stays.
        max_restarts=-1, max_task_retries=-1,
    ).take_all()
    with open(answers, "wb") as whole:
        for result in sorted(results, key=lambda result: result["shard"]):
            with open(result["output"], "rb") as part:
                shutil.copyfileobj(part, whole)
    print(json.dumps({key: sum(result[key] for result in results) for key in ["requests", "failed", "generated_tokens"]}))


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
