"""`openai`: models, conversations, completions, embeddings, responses, errors."""

import base64, math, struct
import openai


def run(tally, server, apus, folder):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0, timeout=120)
    ask = [{"role": "user", "content": "hello"}]

    def chat(**more):
        return client.chat.completions.create(
            **{"model": "chat", "messages": ask, "max_tokens": 24, "temperature": 0, "seed": 1, **more}
        )

    def complete(**more):
        return client.completions.create(
            **{"model": "stories", "prompt": "Once upon a time", "max_tokens": 12, "temperature": 0, **more}
        )

    # Models

    def models():
        names = [each.id for each in client.models.list()]
        return names == ["chat", "stories"], names

    tally.attempt("models.list", models)
    tally.attempt("models.retrieve", lambda: client.models.retrieve("stories").id == "stories")

    # Conversations

    def plain():
        answer = chat()
        choice, usage = answer.choices[0], answer.usage
        return (
            answer.object == "chat.completion"
            and choice.message.role == "assistant"
            and choice.message.content
            and choice.finish_reason in ("stop", "length")
            and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
            and answer.model == "chat"
            and answer.id
            and answer.created > 1e9
        ), answer

    tally.attempt("chat: an answer", plain)
    tally.attempt(
        "chat: the same again", lambda: chat().choices[0].message.content == chat().choices[0].message.content
    )

    def seeds():
        draw = lambda seed: chat(temperature=1.5, seed=seed).choices[0].message.content
        texts = [draw(seed) for seed in range(6)]
        return texts == [draw(seed) for seed in range(6)] and len(set(texts)) > 1, texts

    tally.attempt("chat: a seed gives its answer again, another seed another", seeds)

    def stream():
        pieces = list(chat(stream=True, stream_options={"include_usage": True}))
        text = "".join(each.choices[0].delta.content or "" for each in pieces if each.choices)
        reasons = [each.choices[0].finish_reason for each in pieces if each.choices and each.choices[0].finish_reason]
        usage = pieces[-1].usage
        same = chat()
        return (
            text == same.choices[0].message.content
            and reasons == [same.choices[0].finish_reason]
            and pieces[-1].choices == []
            and usage.completion_tokens == same.usage.completion_tokens
            and usage.prompt_tokens == same.usage.prompt_tokens
            and pieces[0].choices[0].delta.role == "assistant"
            and len({each.id for each in pieces}) == 1
            and all(each.usage is None for each in pieces[:-1])
        ), (text, reasons, usage)

    tally.attempt("chat: a stream is the same text, with usage at its end", stream)
    tally.attempt(
        "chat: without stream_options a stream has no usage",
        lambda: all(each.usage is None and each.choices for each in chat(stream=True)),
    )

    def several():
        answer = chat(n=4, temperature=1.5)
        texts = [each.message.content for each in answer.choices]
        return [each.index for each in answer.choices] == [0, 1, 2, 3] and len(set(texts)) > 1, texts

    tally.attempt("chat: n", several)

    def several_streamed():
        texts = {}
        for each in chat(n=4, temperature=1.5, stream=True):
            for choice in each.choices:
                texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
        whole = [each.message.content for each in chat(n=4, temperature=1.5).choices]
        return [texts[index] for index in range(4)] == whole, (texts, whole)

    tally.attempt("chat: n, streamed, is the same", several_streamed)

    def stop():
        text = chat(messages=[{"role": "user", "content": "tell me a story"}], max_tokens=60).choices[0].message.content
        word = text.split()[3]
        cut = chat(messages=[{"role": "user", "content": "tell me a story"}], max_tokens=60, stop=[word])
        expected = text[: text.index(word)]
        return cut.choices[0].message.content == expected and cut.choices[0].finish_reason == "stop", (
            text,
            word,
            cut.choices[0],
        )

    tally.attempt("chat: stop ends the text before it", stop)

    def logprobs():
        answer = chat(logprobs=True, top_logprobs=5)
        tokens = answer.choices[0].logprobs.content
        text = b"".join(bytes(each.bytes) for each in tokens).decode()
        best = all(
            each.top_logprobs[0].logprob >= each.logprob - 1e-6 and len(each.top_logprobs) == 5 for each in tokens
        )
        return text.strip().startswith(answer.choices[0].message.content.strip()[:10]) and best and all(
            each.logprob <= 0 for each in tokens
        ), tokens[:2]

    tally.attempt("chat: logprobs of tokens, with the likeliest", logprobs)

    def streamed_logprobs():
        found = [
            token.logprob
            for each in chat(logprobs=True, top_logprobs=2, stream=True)
            if each.choices and each.choices[0].logprobs
            for token in each.choices[0].logprobs.content or []
        ]
        return found == [
            each.logprob for each in chat(logprobs=True, top_logprobs=2).choices[0].logprobs.content
        ], found

    tally.attempt("chat: logprobs in a stream are the same numbers", streamed_logprobs)

    tally.attempt(
        "chat: a system prompt and several turns",
        lambda: bool(
            chat(
                messages=[
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "my name is Tom"},
                    {"role": "assistant", "content": "hello Tom"},
                    {"role": "user", "content": "what is my name?"},
                ]
            )
            .choices[0]
            .message.content
        ),
    )
    tally.attempt(
        "chat: content in parts",
        lambda: (
            chat(messages=[{"role": "user", "content": [{"type": "text", "text": "hello"}]}]).choices[0].message.content
            == chat().choices[0].message.content
        ),
    )
    tally.attempt(
        "chat: max_completion_tokens",
        lambda: chat(max_tokens=None, max_completion_tokens=3).usage.completion_tokens <= 3,
    )
    tally.attempt(
        "chat: penalties and logit_bias",
        lambda: bool(chat(presence_penalty=0.5, frequency_penalty=0.5, logit_bias={"5": -100}).choices),
    )
    tally.attempt(
        "chat: service_tier and user", lambda: chat(service_tier="flex", user="someone").service_tier == "flex"
    )

    # Completions

    def echo():
        answer = complete(echo=True, logprobs=3, max_tokens=0)
        given = answer.choices[0].logprobs
        return (
            answer.choices[0].text == "Once upon a time"
            and all(each <= 0 for each in given.token_logprobs if each is not None)
            and len(given.tokens) == len(given.token_logprobs) == len(given.text_offset) == answer.usage.prompt_tokens
            and answer.usage.completion_tokens == 0
        ), answer

    tally.attempt("completions: echo with logprobs and max_tokens 0", echo)

    def first_text_token():
        given = complete(echo=True, logprobs=1, max_tokens=0).choices[0].logprobs
        return given.token_logprobs[0] is None and given.token_logprobs[1] is not None, given

    tally.attempt("completions: the first token has no log-probability, the second has", first_text_token)

    def forms():
        ids = client.post("/../tokenize", cast_to=object, body={"model": "stories", "prompt": "Once upon a time"})[
            "tokens"
        ]
        texts = [
            complete(prompt=prompt).choices[0].text for prompt in ("Once upon a time", ["Once upon a time"], ids, [ids])
        ]
        return len(set(texts)) == 1, texts

    tally.attempt("completions: a text, a list, token ids and lists of them are one prompt", forms)

    def many():
        prompts = ["Once upon a time", "The little dog", "One day"]
        together = [each.text for each in complete(prompt=prompts, n=2).choices]
        single = [choice.text for prompt in prompts for choice in complete(prompt=prompt, n=2).choices]
        return together == single, (together, single)

    tally.attempt("completions: a list of prompts with n is in order and the same as alone", many)

    def completion_stream():
        return (
            "".join(each.choices[0].text for each in complete(stream=True) if each.choices)
            == complete().choices[0].text
        )

    tally.attempt("completions: a stream is the same text", completion_stream)
    tally.attempt(
        "completions: suffix is refused by name",
        lambda: refused(lambda: complete(suffix="end"), 400, parameter="suffix"),
    )

    # Embeddings

    def embeddings():
        lists = client.embeddings.create(model="stories", input=["a dog", "a little dog"], encoding_format="float")
        packed = client.embeddings.with_raw_response.create(
            model="stories", input=["a dog"], encoding_format="base64"
        ).http_response.json()
        vector = lists.data[0].embedding
        unpacked = struct.unpack(f"<{len(vector)}f", base64.b64decode(packed["data"][0]["embedding"]))
        return (
            len(lists.data) == 2
            and all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(vector, unpacked))
            and lists.usage.prompt_tokens > 0
            and any(vector)
        ), len(vector)

    tally.attempt("embeddings: floats and base64 agree", embeddings)
    tally.attempt(
        "embeddings: the client's default form",
        lambda: len(client.embeddings.create(model="stories", input="a dog").data[0].embedding) > 10,
    )

    # Responses

    def respond(**more):
        return client.responses.create(
            **{"model": "chat", "input": "my name is Tom", "max_output_tokens": 24, "temperature": 0, **more}
        )

    def response():
        answer = respond()
        return answer.output_text and answer.status in (
            "completed",
            "incomplete",
        ) and answer.usage.output_tokens > 0, answer

    tally.attempt("responses: an answer", response)
    tally.attempt(
        "responses: instructions and a list as input",
        lambda: bool(
            respond(
                instructions="Be brief.", input=[{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]
            ).output_text
        ),
    )

    def events():
        seen = list(respond(stream=True))
        text = "".join(each.delta for each in seen if each.type == "response.output_text.delta")
        kinds = [each.type for each in seen]
        numbers = [each.sequence_number for each in seen]
        return (
            text == respond().output_text
            and kinds[0] == "response.created"
            and kinds[-1] in ("response.completed", "response.incomplete")
            and numbers == sorted(set(numbers))
        ), kinds

    tally.attempt("responses: a stream of events is the same text", events)

    def follows():
        first = respond()
        second = respond(input="what is my name?", previous_response_id=first.id)
        alone = respond(
            input=[
                {"role": "user", "content": "my name is Tom"},
                {"role": "assistant", "content": first.output_text},
                {"role": "user", "content": "what is my name?"},
            ]
        )
        return second.output_text == alone.output_text and second.usage.input_tokens == alone.usage.input_tokens, (
            second.output_text,
            alone.output_text,
        )

    tally.attempt("responses: previous_response_id goes on from there", follows)

    def kept():
        answer = respond()
        found = client.responses.retrieve(answer.id).output_text == answer.output_text
        client.responses.delete(answer.id)
        return found and refused(lambda: client.responses.retrieve(answer.id), 404)[0]

    tally.attempt("responses: retrieve and delete", kept)
    tally.attempt(
        "responses: store=False keeps nothing",
        lambda: refused(lambda: client.responses.retrieve(respond(store=False).id), 404),
    )

    # Errors

    tally.attempt("error: an unknown model", lambda: refused(lambda: chat(model="nobody"), 404, code="model_not_found"))
    tally.attempt(
        "error: no chat template", lambda: refused(lambda: chat(model="stories"), 400, code="no_chat_template")
    )

    def overflow():
        context = next(each for each in server.engine() if each["id"] == "chat")["context"]
        holds, error = refused(
            lambda: chat(messages=[{"role": "user", "content": "dog " * 3000}]), 400, code="context_length_exceeded"
        )
        return holds and str(context) in error.replace(",", ""), error

    tally.attempt("error: too long a prompt, with the counts", overflow)
    tally.attempt(
        "error: tools",
        lambda: refused(
            lambda: chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]),
            400,
            parameter="tools",
        ),
    )
    tally.attempt(
        "error: response_format",
        lambda: refused(lambda: chat(response_format={"type": "json_object"}), 400, parameter="response_format"),
    )
    tally.attempt("error: n of a billion", lambda: refused(lambda: chat(n=10**9), 400, parameter="n"))
    tally.attempt(
        "error: a temperature below zero", lambda: refused(lambda: chat(temperature=-1), 400, parameter="temperature")
    )
    tally.attempt("error: no messages", lambda: refused(lambda: chat(messages=[]), 400, parameter="messages"))
    tally.attempt("error: a token that is none", lambda: refused(lambda: complete(prompt=[10**8]), 400))
    tally.attempt("error: a path that is none", lambda: refused(lambda: client.post("/nothing", cast_to=object), 404))


def refused(work, status, code=None, parameter=None):
    """Whether `work` ends in the error expected, and what it was."""
    try:
        return False, f"no error, but {str(work())[:200]}"
    except openai.APIStatusError as error:
        holds = (
            error.status_code == status
            and bool(error.message)
            and (code is None or error.code == code)
            and (parameter is None or error.param == parameter)
        )
        return holds, f"{error.status_code} code={error.code} param={error.param}: {error.message}"
