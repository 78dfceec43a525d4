"""Breaks templates at random and writes what jinja2 makes of those that still can be read, in the form of
`compare.py`: a wider comparison than templates as people write them.

    python mutants.py <folder of *.jinja, or Goldens/templates> <output folder> <how many> [seed]
"""

import json
import pathlib
import random
import signal
import sys

from compare import CONVERSATIONS, TOKENS, WEATHER
from goldens import CONTEXT
from oracle import render_chat

PIECES = [
    "not ", " | trim", " | length", " | list", " | tojson", " | first", " | last", " | default('d')", " | upper", "[0]", "[-1]", "[1:]", "[::-1]", ".x", "['role']", " is string",
    " is defined", " is not none", " in ['a', 'user']", " == 'user'", " + 'z'", " ~ 1", " and ", " or ", " if loop.first", "-", "+", "{%- if add_generation_prompt %}", "{% endif %}", "{%- endif -%}",
    "{% for q in messages %}", "{% endfor %}", "{% set zz = 1 %}", "{{ zz }}", "{{ loop.index }}", "{{ message }}", "{{- messages | length -}}", "{% break %}", "{% continue %}", "\n", "  \n  ", "none", "true",
    "1", "2.5", "''", "{{ ns }}", "{% else %}", ".split('a')", ".strip()", ".items()", " recursive", " | items", " | map('upper')", " | join(',')", " | sort", " | reverse", " * 2", " % 2", " // 2",
]


class Slow(Exception):
    pass


def mutate(sources, numbers):
    text = numbers.choice(sources)
    for _ in range(numbers.randint(1, 3)):
        place = numbers.randrange(len(text) + 1)
        end = min(len(text), place + numbers.choice([1, 1, 2, 3, 5, 8, 30]))
        action = numbers.randrange(5)
        if action == 0:
            text = text[:place] + text[end:]
        elif action == 1:
            text = text[:place] + numbers.choice(PIECES) + text[place:]
        elif action == 2:
            text = text[:end] + text[place:end] + text[end:]
        elif action == 3:
            text = text[:place] + numbers.choice(PIECES) + text[end:]
        else:
            words = ["message", "messages", "loop", "role", "content", "tools", "x", "words", "person", "numbers", "ns", "i", "else", "elif", "if", "for", "true", "none"]
            old, new = numbers.choice(words), numbers.choice(words)
            at = text.find(old, place)
            if at >= 0:
                text = text[:at] + new + text[at + len(old):]
    return text


def main(folder, output, count, seed=1):
    numbers = random.Random(int(seed))
    folder = pathlib.Path(folder)
    sources = [path.read_bytes().decode() for path in sorted(folder.glob("*.jinja"))]
    for path in sorted(folder.glob("*.json")):
        sources += [case["template"] for case in json.loads(path.read_text())["cases"]]
    names = ["plain", "multi-turn", "system", "call, result, answer", "parts", "reasoning", "null content", "empty"]
    cases = [{"name": n, "messages": CONVERSATIONS[n], "add_generation_prompt": True, "variables": {**TOKENS, **CONTEXT}} for n in names]
    cases.append({"name": "tools", "messages": CONVERSATIONS["two calls"], "add_generation_prompt": True, "variables": TOKENS, "tools": [WEATHER]})

    def stop(*_):
        raise Slow

    signal.signal(signal.SIGALRM, stop)
    templates = []
    while len(templates) < int(count):
        source = mutate(sources, numbers)
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            outcomes = [render_chat(source, case) for case in cases]
        except Slow:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if any("Slow" == o.get("error") or " at 0x" in o.get("output", "") for o in outcomes):
            continue
        # Templates that cannot be read teach little; some are kept, to see that we refuse them too.
        if all(o.get("error") == "syntax" for o in outcomes) and numbers.random() > 0.25:
            continue
        templates.append({"name": f"mutant {len(templates)}", "source": source, "outcomes": outcomes})
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / "corpus.json").write_text(json.dumps({"cases": cases, "templates": templates}, ensure_ascii=False))
    failures = sum("error" in o for t in templates for o in t["outcomes"])
    print(len(templates), "templates,", len(cases), "conversations,", failures, "errors")


if __name__ == "__main__":
    main(*sys.argv[1:])
