"""The same request gives the same answer to the last bit, whatever else the server does.

    swift build -c release
    python3 Benchmarks/server/same_bits.py --apus .build/release/apus

32 prompts, each at temperature 0 and at temperature 1 with a seed of its own, with log-probabilities: first alone, one after the
other; then all 64 at once in random order, half of them streamed, as many times as --rounds says; then as lists of prompts in
one request; beside prompts that fill the context; after a restart of the server, with one thread, and with an engine of
other steps and pages. Text and log-probabilities are compared as the server wrote them, digit by digit.
"""

import argparse, concurrent.futures, random, shutil, tempfile, threading
from harness import DEFAULT, Server, Tally, deltas, note

OPENINGS = [
    "Once upon a time",
    "The little dog",
    "One day, a girl named Lily",
    "Tom had a red ball",
    "It was a sunny day",
    "There was a big tree",
    "The cat sat on",
    "Mum said",
    "In the garden",
    "A boy and his friend",
    "The bird wanted",
    "She looked at the sky",
    "He was very sad because",
    "They went to the park",
    "At night",
    "The old man",
]


def prompts(count):
    """Short ones, long ones, and ones that begin alike."""
    generator = random.Random(5)
    shared = " ".join(generator.choice(OPENINGS) + "." for _ in range(40))
    made = []
    for index in range(count):
        opening = OPENINGS[index % len(OPENINGS)]
        if index % 4 == 1:
            made.append(f"{shared} {opening}")
        elif index % 4 == 2:
            made.append(" ".join(generator.choice(OPENINGS) + "." for _ in range(5 + index)) + " " + opening)
        elif index % 4 == 3:
            made.append(f"{opening} {index}")
        else:
            made.append(opening)
    return made


def body(prompt, sampled, seed, tokens, model):
    return {
        "model": model,
        "prompt": prompt,
        "max_tokens": tokens,
        "temperature": 1 if sampled else 0,
        "seed": seed,
        "logprobs": 3,
    }


def essence(choice):
    """What has to be the same of a choice."""
    logprobs = choice["logprobs"]
    return (
        choice["text"],
        choice["finish_reason"],
        tuple(logprobs["token_logprobs"]),
        tuple(logprobs["tokens"]),
        tuple(tuple(sorted(top.items())) for top in logprobs["top_logprobs"]),
    )


def whole(server, request):
    status, answer = server.post("/v1/completions", request)
    if status != 200:
        raise RuntimeError(f"answered {status}: {answer}")
    return [essence(choice) for choice in sorted(answer["choices"], key=lambda each: each["index"])]


def streamed(server, request):
    text, reason = "", None
    parts = {"token_logprobs": [], "tokens": [], "top_logprobs": []}
    for chunk in deltas(server, "/v1/completions", {**request, "stream": True}):
        for choice in chunk["choices"]:
            text += choice["text"]
            reason = choice["finish_reason"] or reason
            for name, values in parts.items():
                values += (choice["logprobs"] or {}).get(name) or []
    return [essence({"text": text, "finish_reason": reason, "logprobs": parts})]


def all_at_once(server, requests, generator):
    order = list(requests)
    generator.shuffle(order)
    with concurrent.futures.ThreadPoolExecutor(len(order)) as pool:
        waiting = {}
        for key in order:
            ask = streamed if generator.random() < 0.5 else whole
            waiting[key] = pool.submit(ask, server, requests[key])
        return {key: each.result()[0] for key, each in waiting.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=DEFAULT)
    parser.add_argument("--model", default="builtin:stories")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=48, help="of each answer")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="apus-bits-")
    tally, generator = Tally(), random.Random(11)
    model = f"model={arguments.model}"
    texts = prompts(arguments.prompts)
    requests = {
        (index, sampled): body(text, sampled, 1000 + index if sampled else 0, arguments.tokens, "model")
        for index, text in enumerate(texts)
        for sampled in (False, True)
    }
    server = Server(arguments.apus, folder, [model]).start()
    try:
        alone = {key: whole(server, request)[0] for key, request in requests.items()}
        tally.check(
            "the answers differ from prompt to prompt and with the seed",
            len({each[0] for each in alone.values()}) > len(alone) * 0.8,
        )
        seeds = {whole(server, {**requests[0, True], "seed": seed})[0][0] for seed in range(8)}
        tally.check("another seed gives another answer", len(seeds) >= 7, f"{len(seeds)} different answers of 8 seeds")

        def compare(name, found, expected=alone):
            wrong = [key for key in found if found[key] != expected[key]]
            tally.check(name, not wrong, f"{len(wrong)} of {len(found)} differ, the first is prompt {wrong[:1]}")

        compare(
            "alone once more, with a warm cache", {key: whole(server, request)[0] for key, request in requests.items()}
        )
        for number in range(arguments.rounds):
            compare(f"all {len(requests)} at once, round {number + 1}", all_at_once(server, requests, generator))

        # One seed for a whole list, so the answers alone are asked for with that seed.
        for sampled in (False, True):
            request = body(texts, sampled, 42, arguments.tokens, "model")
            single = {index: whole(server, {**request, "prompt": text})[0] for index, text in enumerate(texts)}
            together = dict(enumerate(whole(server, request)))
            compare(f"a list of prompts at temperature {int(sampled)}", together, single)
            several = whole(server, {**request, "n": 3})
            firsts = {index: several[3 * index] for index in range(len(texts))}
            compare(f"the first of three answers each, at temperature {int(sampled)}", firsts, single)

        context = server.engine()[0]["context"]
        done = threading.Event()

        def fill():
            """Prompts that fill the context, each another one, so that steps are cut in chunks all the time."""
            place = 0
            while not done.is_set():
                place += 1
                tokens = [3 + (place * 7919 + each * 31) % 2000 for each in range(context - 40)]
                whole(server, body(tokens, True, place, 8, "model"))

        filler = threading.Thread(target=fill)
        filler.start()
        try:
            for number in range(3):
                compare(
                    f"all at once beside prompts of {context - 40} tokens, round {number + 1}",
                    all_at_once(server, requests, generator),
                )
        finally:
            done.set()
            filler.join()
        tally.check("the server ends when asked", server.stop() == 0, server.tail())

        server.start()
        compare("all at once after a restart", all_at_once(server, requests, generator))
        server.stop()
        others = {
            "with one thread": ["--threads", "1"],
            "with steps of 24 rows and pages of 16 tokens": ["--token-budget", "24", "--page-size", "16"],
            "with a cache so small that answers are put off": ["--max-cache", "6Mi"],
            "with portable kernels": ["--kernels", "portable"],
        }
        for name, flags in others.items():
            server = Server(arguments.apus, folder, [model], *flags).start()
            compare(f"all at once {name}", all_at_once(server, requests, generator))
            counters = server.engine()[0]["counters"]
            note(f"  {name}: {counters['steps']} steps, {counters['preemptions']} preemptions")
            server.stop()
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    tally.end()


if __name__ == "__main__":
    main()
