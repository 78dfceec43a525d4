"""Embeddings of a few texts by transformers in float32: goldens.py > Tests/BatchTests/Goldens/embeddings.json

The states after the last norm of Models/stories-draft, of the last token and as the mean of all tokens, scaled to length 1.
Of each vector the first 16 numbers and a few random projections are kept, which is enough to tell it from another.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = pathlib.Path(__file__).resolve().parents[2] / "Models/stories-draft"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
texts = [
    "Once upon a time",
    "a",
    "The dog ran to the park. " * 30,
    "One day, a girl named Lily found a needle in her room.",
]
# Weights of the projections that both sides can make: cos(7 · i · (k + 1)).
width = model.config.hidden_size
projections = np.cos(7.0 * np.outer(np.arange(1, 5), np.arange(width)))
entries = []
for text in texts:
    ids = tokenizer(text)["input_ids"]
    with torch.no_grad():
        states = model.model(torch.tensor([ids])).last_hidden_state[0].double().numpy()
    entry = {"text": text, "ids": ids}
    for name, vector in {"last": states[-1], "mean": states.mean(0)}.items():
        vector = vector / np.linalg.norm(vector)
        entry[name] = [float(f"{x:.7g}") for x in vector[:16]] + [float(f"{x:.7g}") for x in projections @ vector]
    entries.append(entry)
json.dump(entries, sys.stdout, indent=1)
