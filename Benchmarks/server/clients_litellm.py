"""`litellm`: the OpenAI and the Anthropic way through the gateway that many programs use."""

import litellm


def run(tally, server, apus, folder):
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    ask = [{"role": "user", "content": "hello"}]
    common = {"messages": ask, "max_tokens": 24, "temperature": 0, "api_key": "any", "num_retries": 0}
    chat = lambda **more: litellm.completion(
        **{"model": "openai/chat", "api_base": f"{server.url}/v1", **common, **more}
    )

    tally.attempt("litellm: an answer", lambda: bool(chat().choices[0].message.content))
    tally.attempt(
        "litellm: a stream is the same",
        lambda: (
            "".join(each.choices[0].delta.content or "" for each in chat(stream=True))
            == chat().choices[0].message.content
        ),
    )
    tally.attempt(
        "litellm: the Anthropic way is the same text",
        lambda: (
            chat().choices[0].message.content
            == litellm.completion(**{"model": "anthropic/chat", "api_base": server.url, **common})
            .choices[0]
            .message.content
        ),
    )
    tally.attempt(
        "litellm: text completion",
        lambda: bool(
            litellm.text_completion(
                model="text-completion-openai/stories",
                api_base=f"{server.url}/v1",
                api_key="any",
                prompt="One day",
                max_tokens=8,
            )
            .choices[0]
            .text
        ),
    )
    tally.attempt(
        "litellm: embeddings",
        lambda: (
            len(
                litellm.embedding(
                    model="openai/stories", api_base=f"{server.url}/v1", api_key="any", input=["a dog"]
                ).data[0]["embedding"]
            )
            > 10
        ),
    )

    def overflow():
        try:
            chat(messages=[{"role": "user", "content": "dog " * 3000}])
            return False, "no error"
        except litellm.ContextWindowExceededError:
            return True

    tally.attempt("litellm: too long a prompt is its ContextWindowExceededError", overflow)
