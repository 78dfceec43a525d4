"""Compares an exported model's files in independent implementations: token ids of the GGUF's tokenizer in llama.cpp
against tokenizer.json in `tokenizers`, and greedy tokens of the Q8_0 weights against golden.json.

  python check_gguf.py ../../Models/stories ../../Sources/Apus/Resources/stories.gguf
"""
import json
import os
import sys

from llama_cpp import Llama
from tokenizers import Tokenizer

TEXTS = ["Once upon a time, there was 1 girl and 23 boys.", "It's 3.14159 + 2,000 = ?\n\n  two  spaces\ttab",
         "\u201cNa\u00efve caf\u00e9\u201d \u2014 \u65e5\u672c\u8a9e \U0001f600 \u0660\u0661 \u00bd x\u00b2", " lead and trail \n", "don't WE'LL they're\n\n\nend"]

folder = sys.argv[1]
theirs = Llama(sys.argv[2], n_ctx=1024, n_threads=1, verbose=False, logits_all=False)
ours = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
wrong = 0
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens", "passage.txt"), encoding="utf-8") as file:
    TEXTS.append(file.read())
for text in TEXTS:
    a, b = ours.encode(text).ids, theirs.tokenize(text.encode(), add_bos=True, special=False)
    if a != b:
        wrong += 1
        print("tokens differ:", repr(text[:60]), a[:40], b[:40])
print(f"{len(TEXTS) - wrong} of {len(TEXTS)} texts have equal tokens")
path = os.path.join(folder, "golden.json")
if os.path.exists(path):
    with open(path) as file:
        golden = json.load(file)
    for case in golden["continuations"]:
        out = []
        for token in theirs.generate(case["ids"], temp=0.0, repeat_penalty=1.0):
            out.append(token)
            if len(out) == 200:
                break
        same = next((i for i, (a, b) in enumerate(zip(out, case["continuation"])) if a != b), 200)
        print(f"{case['prompt']!r}: the first {same} of 200 greedy tokens of Q8_0 equal those of BF16 (gap {case['gap']:.4f})")
sys.exit(1 if wrong else 0)
