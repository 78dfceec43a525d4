"""`anthropic`: messages, streams, counting tokens, errors."""

import anthropic


def run(tally, server, apus, folder):
    client = anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0)
    ask = [{"role": "user", "content": "hello"}]

    def create(**more):
        return client.messages.create(**{"model": "chat", "max_tokens": 24, "temperature": 0, "messages": ask, **more})

    def plain():
        answer = create()
        return (
            answer.type == "message"
            and answer.role == "assistant"
            and answer.content[0].type == "text"
            and answer.content[0].text
            and answer.stop_reason in ("end_turn", "max_tokens")
            and answer.usage.input_tokens > 0
            and answer.usage.output_tokens > 0
        ), answer

    tally.attempt("messages: an answer", plain)

    def stream():
        with client.messages.stream(model="chat", max_tokens=24, temperature=0, messages=ask) as events:
            kinds = [each.type for each in events]
            message = events.get_final_message()
        same = create()
        return (
            message.content[0].text == same.content[0].text
            and message.stop_reason == same.stop_reason
            and message.usage.output_tokens == same.usage.output_tokens
            and kinds[0] == "message_start"
            and kinds[-1] == "message_stop"
        ), kinds

    tally.attempt("messages: a stream is the same", stream)
    tally.attempt(
        "messages: a system prompt, parts, several turns",
        lambda: bool(
            create(
                system=[{"type": "text", "text": "Be brief."}],
                messages=[
                    {"role": "user", "content": [{"type": "text", "text": "my name is Tom"}]},
                    {"role": "assistant", "content": "hello Tom"},
                    {"role": "user", "content": "what is my name?"},
                ],
            )
            .content[0]
            .text
        ),
    )

    def stops():
        text = create(max_tokens=60, messages=[{"role": "user", "content": "tell me a story"}]).content[0].text
        word = text.split()[3]
        cut = create(max_tokens=60, messages=[{"role": "user", "content": "tell me a story"}], stop_sequences=[word])
        return cut.stop_reason == "stop_sequence" and cut.stop_sequence == word and cut.content[0].text == text[
            : text.index(word)
        ], cut

    tally.attempt("messages: stop_sequences", stops)
    tally.attempt(
        "messages: max_tokens is the reason",
        lambda: (
            create(max_tokens=2, messages=[{"role": "user", "content": "tell me a story"}]).stop_reason == "max_tokens"
        ),
    )

    def counts():
        counted = client.messages.count_tokens(model="chat", messages=ask).input_tokens
        return counted == create().usage.input_tokens, counted

    tally.attempt("messages.count_tokens is what the answer's usage says", counts)
    tally.attempt("models.list", lambda: [each.id for each in client.models.list()] == ["chat", "stories"])

    def refused(work, kind, contains=""):
        try:
            work()
            return False, "no error"
        except kind as error:
            body = error.body
            return body["type"] == "error" and body["error"]["message"] and contains in str(body), body

    tally.attempt(
        "error: an unknown model",
        lambda: refused(lambda: create(model="nobody"), anthropic.NotFoundError, "not_found_error"),
    )
    tally.attempt(
        "error: too long a prompt",
        lambda: refused(
            lambda: create(messages=[{"role": "user", "content": "dog " * 3000}]),
            anthropic.BadRequestError,
            "invalid_request_error",
        ),
    )
    tally.attempt(
        "error: tools",
        lambda: refused(
            lambda: create(tools=[{"name": "f", "input_schema": {"type": "object"}}]),
            anthropic.BadRequestError,
            "tools",
        ),
    )
    tally.attempt(
        "error: no max_tokens",
        lambda: refused(
            lambda: client.post("/v1/messages", body={"model": "chat", "messages": ask}, cast_to=object),
            anthropic.BadRequestError,
            "max_tokens",
        ),
    )
