"""`openai`: files and batches, also across a restart of the server and after `kill -9`."""

import json, time
import openai
from clients_openai import refused
from harness import Server


def lines(count, **more):
    return "".join(
        json.dumps(
            {
                "custom_id": f"line-{index}",
                "method": "POST",
                "url": "/v1/completions",
                "body": {
                    "model": "stories",
                    "prompt": f"Day {index}: the dog",
                    "max_tokens": 8,
                    "temperature": 0,
                    **more,
                },
            }
        )
        + "\n"
        for index in range(count)
    ).encode()


def poll(client, batch, wanted=("completed", "failed", "cancelled", "expired"), limit=180):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = client.batches.retrieve(batch)
        if found.status in wanted:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"the batch is {found.status}, {found.request_counts}")


def answers(client, batch):
    text = client.files.content(batch.output_file_id).text
    return {
        each["custom_id"]: each["response"]["body"]["choices"][0]["text"] for each in map(json.loads, text.splitlines())
    }


def run(tally, server, apus, folder):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)
    upload = lambda data, client=client: client.files.create(file=("in.jsonl", data), purpose="batch")
    create = lambda file, client=client, **more: client.batches.create(
        **{"input_file_id": file, "endpoint": "/v1/completions", "completion_window": "24h", **more}
    )

    def files():
        data = lines(3)
        file = upload(data)
        listed = [each.id for each in client.files.list()]
        same = client.files.content(file.id).content == data
        info = client.files.retrieve(file.id)
        client.files.delete(file.id)
        return (
            same
            and file.id in listed
            and info.bytes == len(data)
            and info.filename == "in.jsonl"
            and info.purpose == "batch"
            and refused(lambda: client.files.retrieve(file.id), 404)[0]
        ), (listed, info)

    tally.attempt("files: create, list, retrieve, content, delete", files)

    def batch():
        made = create(upload(lines(24)).id, metadata={"name": "test"})
        ended = poll(client, made.id)
        found = answers(client, ended)
        direct = (
            client.completions.create(model="stories", prompt="Day 7: the dog", max_tokens=8, temperature=0)
            .choices[0]
            .text
        )
        return (
            ended.status == "completed"
            and ended.request_counts.completed == 24
            and len(found) == 24
            and found["line-7"] == direct
            and ended.metadata == {"name": "test"}
            and made.id in [each.id for each in client.batches.list()]
        ), ended

    tally.attempt("batches: create, poll, output; the answers are those of direct requests", batch)

    def bad_lines():
        data = (
            lines(3)
            + json.dumps(
                {
                    "custom_id": "bad",
                    "method": "POST",
                    "url": "/v1/completions",
                    "body": {"model": "stories", "prompt": "x", "temperature": -3},
                }
            ).encode()
            + b"\n"
        )
        ended = poll(client, create(upload(data).id).id)
        errors = [json.loads(each) for each in client.files.content(ended.error_file_id).text.splitlines()]
        return (
            ended.status == "completed"
            and ended.request_counts.failed == 1
            and ended.request_counts.completed == 3
            and [each["custom_id"] for each in errors] == ["bad"]
            and "temperature" in json.dumps(errors)
        ), (ended, errors)

    tally.attempt("batches: a line that cannot be answered is in the error file", bad_lines)

    def no_batch():
        ended = poll(client, create(upload(b"this is no json\n").id).id)
        return ended.status == "failed" and ended.errors.data[0].message and ended.errors.data[0].line == 1, ended

    tally.attempt("batches: a file that is none fails with line and reason", no_batch)
    tally.attempt(
        "batches: a file that does not exist",
        lambda: (
            refused(lambda: create("file-nothing"), 404)
            if refused(lambda: create("file-nothing"), 404)[0]
            else refused(lambda: create("file-nothing"), 400)
        ),
    )

    def cancel():
        made = create(upload(lines(400, max_tokens=200, ignore_eos=True)).id)
        poll(client, made.id, ("in_progress", "completed"))
        time.sleep(0.5)
        client.batches.cancel(made.id)
        ended = poll(client, made.id)
        kept = len(answers(client, ended)) if ended.output_file_id else 0
        return ended.status == "cancelled" and kept == ended.request_counts.completed < 400, (ended, kept)

    tally.attempt("batches: cancel keeps what is answered", cancel)

    for name, kill in (("a restart", False), ("kill -9", True)):

        def survives():
            other = Server(apus, folder, ["stories=builtin:stories"], name=f"batches-{int(kill)}").start()
            try:
                own = openai.OpenAI(base_url=f"{other.url}/v1", api_key="any", max_retries=0)
                expected = answers(
                    client, poll(client, create(upload(lines(200, max_tokens=64, ignore_eos=True)).id).id)
                )
                made = create(upload(lines(200, max_tokens=64, ignore_eos=True), own).id, own)
                end = time.monotonic() + 60
                while own.batches.retrieve(made.id).request_counts.completed < 20 and time.monotonic() < end:
                    time.sleep(0.02)
                before = own.batches.retrieve(made.id)
                other.kill() if kill else other.stop()
                other.start()
                ended = poll(own, made.id)
                return (
                    before.status == "in_progress"
                    and before.request_counts.completed < 200
                    and ended.status == "completed"
                    and answers(own, ended) == expected
                ), (before.request_counts, ended.status, ended.request_counts)
            finally:
                other.kill()

        tally.attempt(f"batches: one under way survives {name}, with the same answers", survives)
