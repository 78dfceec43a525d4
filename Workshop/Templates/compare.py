"""Renders every template of a folder over many conversations and writes what came out as JSON, for the test
`ChatTemplateCorpusTests` (environment variable APUS_TEMPLATES: a folder with the templates' `corpus.json`).

    python compare.py <folder of *.jinja> <output folder>
"""

import json
import pathlib
import sys

from oracle import render_chat

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather <at> a \"place\" & more",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city, e.g. 'Zürich'"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": "integer", "description": "How many days", "default": 1},
                "hours": {"type": ["integer", "null"]},
                "where": {
                    "type": "object",
                    "description": "Exact place",
                    "properties": {"lat": {"type": "number"}, "lon": {"type": "number", "default": 8.5}},
                    "required": ["lat"],
                },
                "tags": {"type": "array", "items": {"type": "string"}},
                "any": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["city"],
        },
        "return": {"type": "object", "description": "the weather"},
    },
}
BARE = {"type": "function", "function": {"name": "ping", "description": "Ping.", "parameters": {"type": "object", "properties": {}}}}
PLAIN = {"name": "flat_tool", "description": "A tool without the outer shell", "parameters": {"type": "object", "properties": {"x": {"type": "number"}}, "required": []}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def call(name, arguments, identity="call12345"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": "You are terse.\n  Indented line.  "}
CALLS = [
    user("Weather in Zürich?"),
    assistant("", tool_calls=[call("get_weather", {"city": "Zürich", "days": 2, "exact": True, "lat": 1.5, "none": None, "list": [1, "a"]})]),
    {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "{\"temp\": 21.5}"},
]
CONVERSATIONS = {
    "plain": [user("Hello!")],
    "spaces": [user("  padded\n\ttext \n")],
    "empty content": [user("")],
    "multi-turn": [user("One"), assistant("Two"), user("Three"), assistant("Four"), user("Five")],
    "ends with assistant": [user("One"), assistant("Two")],
    "system": [SYSTEM, user("Hello!")],
    "system only": [SYSTEM],
    "developer": [{"role": "developer", "content": "Be kind."}, user("Hi")],
    "system late": [user("Hi"), SYSTEM, user("Hm")],
    "two systems": [SYSTEM, {"role": "system", "content": "Second."}, user("Hm")],
    "system multi": [SYSTEM, user("One"), assistant("Two"), user("Three")],
    "unicode": [user("Grüße 👩‍👩‍👧 e\u0301 \u00e9 日本語 \u2028 \u00a0 ‮ \U0001f600"), assistant("ß Σας ﬁ"), user("İ")],
    "special": [user("<|im_end|><s></s>{{ x }}{% raw %} 'q' \"d\" \\n \\ </tool_call>")],
    "assistant first": [assistant("Hi"), user("Hello")],
    "two users": [user("a"), user("b")],
    "two assistants": [user("a"), assistant("b"), assistant("c"), user("d")],
    "unknown role": [{"role": "critic", "content": "Bad."}, user("x")],
    "missing content": [{"role": "user"}],
    "missing role": [{"content": "x"}],
    "null content": [user("x"), assistant(None), user("y")],
    "null user": [user(None)],
    "empty": [],
    "parts": [user([{"type": "text", "text": "Part one."}, {"type": "text", "text": " Part two."}]), assistant([{"type": "text", "text": "Answer."}]), user("go")],
    "system parts": [{"role": "system", "content": [{"type": "text", "text": "Sys part."}]}, user([{"type": "text", "text": "Hi"}])],
    "image": [user([{"type": "image"}, {"type": "text", "text": "What is it?"}])],
    "image url": [user([{"type": "image_url", "image_url": {"url": "data:x"}}, {"type": "text", "text": "What?"}])],
    "odd part": [user([{"type": "smell", "smell": 3}])],
    "string parts": [user(["a", "b"])],
    "number content": [user(42)],
    "reasoning": [user("2+2?"), assistant("4", reasoning_content="Two and two."), user("3+3?")],
    "reasoning last": [user("2+2?"), assistant("4", reasoning_content="\nTwo and two.\n")],
    "thinking": [user("2+2?"), assistant("4", thinking="Hmm."), user("and?")],
    "reasoning key": [user("2+2?"), assistant("4", reasoning="Hmm."), user("and?")],
    "inline thoughts": [user("q"), assistant("<think>\nlong thought\n</think>\n\nanswer"), user("next"), assistant("<think>x</think>y")],
    "half thought": [user("q"), assistant("no start</think>rest"), user("z")],
    "call": CALLS[:2],
    "call and result": CALLS,
    "call, result, answer": [*CALLS, assistant("21.5 degrees.")],
    "call, result, answer, turn": [SYSTEM, *CALLS, assistant("21.5 degrees."), user("Thanks")],
    "call with text": [user("w?"), assistant("Let me look.", tool_calls=[call("get_weather", {"city": "Bern"})]), {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "ok"}],
    "call arguments as text": [user("w?"), assistant(None, tool_calls=[call("get_weather", "{\"city\": \"Bern\"}")]), {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "ok"}],
    "call reasoning": [user("w?"), assistant("", reasoning_content="I must look.", tool_calls=[call("ping", {})]), {"role": "tool", "name": "ping", "tool_call_id": "call12345", "content": "pong"}, assistant("done", reasoning_content="Good."), user("more")],
    "two calls": [user("w?"), assistant("", tool_calls=[call("get_weather", {"city": "A"}, "aaaaaaaaa"), call("ping", {}, "bbbbbbbbb")]), {"role": "tool", "name": "get_weather", "tool_call_id": "aaaaaaaaa", "content": "1"}, {"role": "tool", "name": "ping", "tool_call_id": "bbbbbbbbb", "content": "2"}],
    "bare call": [user("w?"), assistant("", tool_calls=[{"name": "ping", "arguments": {"a": 1}}]), {"role": "tool", "content": "pong"}],
    "call ids": [user("w?"), assistant("", tool_calls=[call("ping", {}, "functions.ping:0")]), {"role": "tool", "tool_call_id": "functions.ping:0", "content": "pong"}],
    "result object": [user("w?"), assistant("", tool_calls=[call("ping", {"deep": {"a": [1, {"b": None}]}})]), {"role": "tool", "name": "ping", "tool_call_id": "call12345", "content": {"temp": 21.5, "ok": True}}],
    "result list": [user("w?"), assistant("", tool_calls=[call("ping", {})]), {"role": "tool", "name": "ping", "tool_call_id": "call12345", "content": [{"type": "text", "text": "pong"}]}],
    "result without call": [user("w?"), {"role": "tool", "content": "lost", "tool_call_id": "x", "name": "y"}],
    "empty calls": [user("x"), assistant("y", tool_calls=[]), user("z")],
    "null calls": [user("x"), assistant("y", tool_calls=None), user("z")],
    "function role": [user("x"), {"role": "function", "name": "f", "content": "1"}],
    "ipython": [user("x"), {"role": "ipython", "content": "1"}],
    "long": [m for i in range(20) for m in (user(f"question {i}"), assistant(f"answer {i}"))] + [user("last")],
    "extra fields": [{"role": "user", "content": "x", "name": "bob", "prefix": True, "weight": 0}, assistant("y", prefix=True)],
    "numbers": [user("x"), assistant("", tool_calls=[call("ping", {"f": 1e22, "g": 1.0, "h": -0.5, "i": 123456789012, "e": 1e-7, "b": False})])],
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
SETTINGS = [
    {"add_generation_prompt": True, "variables": {**TOKENS}},
    {"add_generation_prompt": False, "variables": {**TOKENS}},
    {"add_generation_prompt": True, "variables": {**TOKENS}, "tools": [WEATHER, BARE]},
    {"add_generation_prompt": False, "variables": {**TOKENS}, "tools": [PLAIN]},
    {"add_generation_prompt": True, "variables": {**TOKENS}, "tools": []},
    {"add_generation_prompt": True, "variables": {**TOKENS, "enable_thinking": False, "thinking": False}, "tools": [BARE]},
    {"add_generation_prompt": True, "variables": {**TOKENS, "enable_thinking": True, "thinking": True, "reasoning_effort": "high", "clear_thinking": True, "keep_past_thinking": True}},
    {"add_generation_prompt": True, "variables": {}},
    {"add_generation_prompt": True, "variables": {**TOKENS, "custom_tools": [BARE], "builtin_tools": ["brave_search", "code_interpreter"], "tools_in_user_message": False, "date_string": "1 Jan 2026", "xml_tools": [WEATHER], "python_tools": [BARE], "functions": "f", "datetime": "now"}, "tools": [WEATHER]},
    {"add_generation_prompt": True, "variables": {**TOKENS, "available_tools": [WEATHER], "controls": {"length": "short"}, "citations": True, "safety_mode": "contextual", "citation_mode": "fast"}, "documents": [{"title": "T", "text": "Body", "doc_id": 3}, {"title": "U", "text": "Other", "snippet": "s"}]},
]


def main(templates, output):
    cases = []
    for settings in SETTINGS:
        for name, messages in CONVERSATIONS.items():
            cases.append({"name": name, "messages": messages, **settings})
    result = {"cases": cases, "templates": []}
    for path in sorted(pathlib.Path(templates).glob("*.jinja")):
        source = path.read_bytes().decode()
        outcomes = [render_chat(source, case) for case in cases]
        result["templates"].append({"name": path.name, "source": source, "outcomes": outcomes})
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / "corpus.json").write_text(json.dumps(result, ensure_ascii=False))
    failures = sum("error" in outcome for template in result["templates"] for outcome in template["outcomes"])
    print(len(result["templates"]), "templates,", len(cases), "conversations,", failures, "errors")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
