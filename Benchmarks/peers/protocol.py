"""What a peer's process is: it loads a model once, then answers one JSON line for each JSON line.

Requests: {"do": "prefill", "tokens": n}, {"do": "decode", "batch": b, "context": c, "steps": s},
{"do": "first_token"}. Answers: {"tokens_per_s": x} or {"seconds": x} or {"error": "..."}.
"""
import json, os, sys


def serve(make):
    # Libraries print what they like to descriptor 1; answers go to a copy of it.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        peer = make()
    except Exception as error:
        return answer({"error": f"{type(error).__name__}: {error}"})
    answer({"ready": peer.description})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(peer, request.pop("do"))(**request))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})
