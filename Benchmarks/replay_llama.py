"""A workload through llama.cpp as its server would run it (batch_llama.py): replay_llama.py MODEL.gguf WORKLOAD [slots=16] [threads=2]

Each request enters when its time has come; the times of its tokens are those at which the pass that gave them ended.
"""
import json
import sys
import time

from batch_llama import Server, silence


def main(path, workload, slots=16, threads=2):
    quiet = silence()  # noqa: F841
    requests = [json.loads(line) for line in open(workload)]
    longest = max(len(request["prompt"]) + request["output"] for request in requests)
    server = Server(path, slots, threads, slots * -(-longest // 256) * 256)
    coming, waiting, done = list(requests), [], 0
    for request in requests:
        request["times"] = []
    begin = time.perf_counter()
    while done < len(requests):
        now = time.perf_counter() - begin
        while coming and coming[0]["at"] <= now:
            waiting.append(coming.pop(0))
        server.take(waiting)
        if all(slot.request is None for slot in server.slots):
            time.sleep(max(0, coming[0]["at"] - now))
            continue
        advanced, finished = server.step()
        now = time.perf_counter() - begin
        for request in advanced:
            request["times"].append(now)
        done += len(finished)
    print(json.dumps({
        "seconds": time.perf_counter() - begin, "times": [request["times"] for request in requests],
        "prompt_tokens": sum(len(request["prompt"]) for request in requests), "prefilled_tokens": server.prefilled}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
