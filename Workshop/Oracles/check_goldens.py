"""Do the goldens see mistakes? Changes one setting of a checkpoint at a time and prints how far the logits move.

    python check_goldens.py ../../Goldens/models
"""

import json
import pathlib
import sys

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lively import logits_of

MISTAKES = [
    ("llama-plain", "none", {}), ("gemma3", "none", {}), ("gpt2-bare-names", "none", {}),
    ("llama-plain", "eps 1e-5 -> 1e-6", {"rms_norm_eps": 1e-6}),
    ("llama-rows32", "eps 1e-5 -> 1e-6", {"rms_norm_eps": 1e-6}),
    ("qwen3-tied", "eps 1e-6 -> 1e-5", {"rms_norm_eps": 1e-5}),
    ("gemma2", "eps 1e-6 -> 1e-5", {"rms_norm_eps": 1e-5}),
    ("gpt2", "eps 1e-5 -> 1e-6", {"layer_norm_epsilon": 1e-6}),
    ("mistral-window", "window 16 -> 15", {"sliding_window": 15}),
    ("mistral-window", "window 16 -> 17", {"sliding_window": 17}),
    ("qwen2-window", "from layer 1 -> 2", {"max_window_layers": 2}),
    ("qwen2-tied", "window on", {"use_sliding_window": True, "max_window_layers": 0}),
    ("gemma3", "window 16 -> 17", {"sliding_window": 17}),
    ("gemma3", "local base = global", {"rope_local_base_freq": 1e6}),
    ("gemma3", "pattern 3 -> 6", {"sliding_window_pattern": 6}),
    ("gemma3", "scale", {"query_pre_attn_scalar": 8}),
    ("gemma3-scaled-rope", "no linear scaling", {"rope_scaling": None}),
    ("gemma2", "attn cap 2.5 -> 50", {"attn_logit_softcapping": 50.0}),
    ("gemma2", "final cap none", {"final_logit_softcapping": None}),
    ("gemma2", "exact gelu", {"hidden_activation": "gelu"}),
    ("gpt2", "exact gelu", {"activation_function": "gelu"}),
    ("llama-llama3-rope", "no scaling", {"rope_scaling": None}),
    ("llama-yarn", "no scaling", {"rope_scaling": None}),
    ("llama-yarn", "attention factor 1", {"rope_scaling.attention_factor": 1.0}),
    ("llama-linear-rope", "no scaling", {"rope_scaling": None}),
    ("phi3-longrope-short", "factor 1", {"rope_scaling.attention_factor": 1.0}),
    ("phi3-longrope-long", "short side", {"original_max_position_embeddings": 256}),
    ("phi3-partial-rotary", "attention factor 1", {"rope_scaling.attention_factor": 1.0}),
]


def moved(folder, changes):
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        outer, _, inner = key.rpartition(".")
        (config[outer] if outer else config)[inner] = value
    model = AutoModelForCausalLM.from_pretrained(
        folder, config=AutoConfig.for_model(**config), dtype=torch.float32, attn_implementation="eager").eval()
    golden = json.loads((folder / "golden.json").read_text())
    numbers, width = np.fromfile(folder / "logits.bin", "<f4"), golden["vocab_size"]
    distances = []
    for case in golden["cases"]:
        count = len(case["positions"])
        want = numbers[case["offset"]:case["offset"] + count * width].reshape(count, width)
        distances.append(float(np.abs(logits_of(model, case["prompt"])[case["positions"]].numpy() - want).max()))
    return distances


def main():
    for name, label, changes in MISTAKES:
        distances = moved(pathlib.Path(sys.argv[1]) / name, changes)
        print(f"{name:22} {label:24} {max(distances):.1e}   by case {[f'{d:.0e}' for d in distances]}", flush=True)


if __name__ == "__main__":
    main()
