"""How many of another program's greedy tokens are Apus's too: shared by greedy_llama.py and interchange.py."""

import json


def alike(apus, model, answers, tokens, work):
    """For each answer, how many tokens it has in common with Apus's from the beginning.

    apus(*arguments) runs the command. An answer has its `prompt` as ids and `texts`, the text after each of its tokens.
    """
    lines, out = work / "prompts.jsonl", work / "answers.jsonl"
    for rest in work.glob("answers.jsonl*"):
        rest.unlink()
    with open(lines, "w") as file:
        for index, answer in enumerate(answers):
            body = {"prompt": answer["prompt"], "max_tokens": tokens, "temperature": 0}
            file.write(json.dumps({"custom_id": str(index), "method": "POST", "url": "/v1/completions", "body": body}) + "\n")
    apus("batch", lines, "-o", out, "--model", model)
    with open(out) as file:
        ours = {line["custom_id"]: line["response"]["body"]["choices"][0]["text"] for line in map(json.loads, file)}
    return [sum(ours[str(index)].startswith(text) for text in answer["texts"]) for index, answer in enumerate(answers)]
