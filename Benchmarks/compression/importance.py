"""The importance of every projection's inputs, as llama.cpp's own tool counts it: mean of x² over all tokens of a text.

The text is read in windows of 512 tokens side by side. The tied embedding is counted by what the projection to scores gets.
"""

import pathlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from export_gguf import gguf_name

WINDOW = 512


@torch.no_grad()
def importance(folder, text, tokens=32_768):
    """By GGUF name: float32 [inputs]; and how many tokens they come from."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(folder)(pathlib.Path(text).read_text())["input_ids"][:tokens]
    sums, seen = {}, 0

    def hook(name):
        def count(module, inputs, output):
            x = inputs[0].reshape(-1, inputs[0].shape[-1])
            sums[name] = sums.get(name, 0) + (x.double() ** 2).sum(0)
        return count

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            tied = name == "lm_head" and model.config.tie_word_embeddings
            module.register_forward_hook(hook("token_embd.weight" if tied else gguf_name(name + ".weight")))
    for begin in range(0, len(ids) - WINDOW + 1, WINDOW):
        model(torch.tensor([ids[begin:begin + WINDOW]]))
        seen += WINDOW
    return {name: (total / seen).float().numpy() for name, total in sums.items()}, seen
