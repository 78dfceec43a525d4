"""`lm-evaluation-harness` over `local-completions`, offline: log-likelihoods of a local task, prompts as token ids."""

import json, os
import lm_eval
from lm_eval.tasks import TaskManager
from harness import REPOSITORY

QUESTIONS = [
    ("Once upon a time there was a little", [" girl", " of", " was"], 0),
    ("The dog was very", [" the", " happy", " and"], 1),
    ("They played in the", [" is", " said", " park"], 2),
    ("Tom and his mom went to the", [" park", " very", " had"], 0),
    ('She said, "Thank', [" you", " dog", " on"], 0),
    ("The sun was", [" shining", " she", " boy"], 0),
]


def run(tally, server, apus, folder):
    place = f"{folder}/task"
    os.makedirs(place, exist_ok=True)
    with open(f"{place}/questions.jsonl", "w") as file:
        for text, choices, right in QUESTIONS:
            file.write(json.dumps({"text": text, "choices": choices, "right": right}) + "\n")
    with open(f"{place}/endings.yaml", "w") as file:
        file.write(f"""task: endings
dataset_path: json
dataset_kwargs:
  data_files:
    test: {place}/questions.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: right
target_delimiter: ""
metric_list:
  - metric: acc
""")
    results = {}

    def measure():
        found = lm_eval.simple_evaluate(
            model="local-completions",
            tasks=["endings"],
            task_manager=TaskManager(include_path=place),
            log_samples=True,
            bootstrap_iters=0,
            model_args={
                "model": "stories",
                "base_url": f"{server.url}/v1/completions",
                "tokenizer": f"{REPOSITORY}/Models/stories",
                "tokenizer_backend": "huggingface",
                "tokenized_requests": True,
                "num_concurrent": 4,
                "max_retries": 1,
                "max_length": 512,
            },
        )
        results["samples"] = found["samples"]["endings"]
        results["accuracy"] = found["results"]["endings"]["acc,none"]
        return results["accuracy"] >= 4 / 6, f"accuracy {results['accuracy']:.2f}"

    tally.attempt("lm-evaluation-harness: local-completions with log-likelihoods, offline", measure)

    def likelihoods():
        """The harness's sums against sums over the server's own log-probabilities of the same tokens, asked for with echo."""
        worst = 0
        for sample in results["samples"]:
            for (context, ending), response in zip(
                sample["arguments"]
                if isinstance(sample["arguments"], list)
                else [tuple(each.values()) for each in sample["arguments"].values()],
                sample["filtered_resps"],
            ):
                tokens = lambda text: json.loads(
                    server.request("POST", "/tokenize", {"model": "stories", "prompt": text})[1]
                )["tokens"]
                whole, start = tokens(context + ending), len(tokens(context))
                answer = json.loads(
                    server.request(
                        "POST",
                        "/v1/completions",
                        {"model": "stories", "prompt": whole, "echo": True, "logprobs": 1, "max_tokens": 0},
                    )[1]
                )
                expected = sum(answer["choices"][0]["logprobs"]["token_logprobs"][start:])
                worst = max(worst, abs(expected - float(response[0])))
        return worst < 1e-4 and len(results["samples"]) == len(QUESTIONS), f"worst difference {worst}"

    tally.attempt("lm-evaluation-harness: its sums are those of the server's log-probabilities", likelihoods)
