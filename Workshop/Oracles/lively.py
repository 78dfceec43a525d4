"""Random weights that make mistakes show, and the record of what `transformers` computes from them.

A network of plain small random weights hides errors: its attention is uniform, its norms are all one, its biases are
zero and its logits are flat. Here every projection is scaled so that attention is peaked, logits spread by about two,
norm weights scatter around one and biases are far from zero.
"""

import json
import math
import pathlib
import re

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}

# Rows of which the logits are kept, by prompt length: borders of the windows (16), of blocks (64, 128), both ends.
KEPT = {
    1: [0],
    7: list(range(7)),
    40: [0, 1, 8, 15, 16, 17, 24, 31, 32, 38, 39],
    150: [0, 15, 16, 17, 63, 64, 65, 100, 127, 128, 148, 149],
}
GREEDY = 64


def randomise(model, generator):
    """Overwrites every parameter of `model`, whatever its architecture, by the part it plays."""
    config = model.config
    hidden = config.hidden_size
    gemma = config.model_type.startswith("gemma")
    gpt2 = config.model_type == "gpt2"
    tied = bool(getattr(config, "tie_word_embeddings", False))
    # A tied model whose rows are large next to its blocks' outputs only repeats its last token, so rows are small and
    # the last norm is large where the architecture adds much to the stream. Gemma multiplies its rows by √hidden.
    row = (0.35 if gemma else 0.8 if gpt2 else 2.0) / math.sqrt(hidden) if tied else 1.0
    last_norm = {"model.norm.weight": 5.0} if gemma else {"transformer.ln_f.weight": 1.5} if gpt2 else {}

    def normal(shape, std):
        return torch.randn(shape, generator=generator, dtype=torch.float32) * std

    for name, parameter in model.named_parameters():
        shape = parameter.shape
        fan_in = shape[0] if "Conv1D" in type(owner(model, name)).__name__ else shape[-1]
        if name.endswith(".bias"):
            value = normal(shape, 0.3)
        elif re.search(r"(norm|ln_1|ln_2|ln_f)[^.]*\.weight$", name):
            value = normal(shape, 0.25) + (0.0 if gemma else 1.0)
            if re.search(r"[qk]_norm", name):
                value = value + 0.3
            value = value + last_norm.get(name, 0.0)
        elif re.search(r"embed_tokens|wte", name):
            value = normal(shape, row)
        elif "wpe" in name:
            value = normal(shape, row)
        elif "lm_head" in name:
            value = normal(shape, 2.0 / math.sqrt(fan_in))
        elif re.search(r"q_proj|k_proj|qkv_proj|c_attn", name):
            value = normal(shape, 1.3 / math.sqrt(fan_in))
        else:
            value = normal(shape, 1.2 / math.sqrt(fan_in))
        with torch.no_grad():
            parameter.copy_(value)


def owner(model, parameter_name):
    return model.get_submodule(parameter_name.rpartition(".")[0])


def build(folder, config, seed, dtype="F32", modern=False, bare=None):
    """Writes a checkpoint in the layout of the Hugging Face hub.

    `config` is the dictionary of `config.json` as published checkpoints have it; with `modern` the file is instead
    written by `transformers` 5, whose rotation settings lie in `rope_parameters`. `bare` is a prefix to leave out of
    the tensors' names, as old checkpoints do.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
    config = dict(config) | {"torch_dtype": names[dtype]}
    parsed = AutoConfig.for_model(**config)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(parsed, attn_implementation="eager", dtype=torch.float32)
    randomise(model, torch.Generator().manual_seed(seed))
    model.to(DTYPES[dtype]).save_pretrained(folder)
    weights = folder / "model.safetensors"
    if bare:
        tensors = {name.removeprefix(bare): value for name, value in load_file(weights).items()}
        save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
    if not modern:
        write_json(folder / "config.json", config)


def end_with(folder, token):
    """Makes `token` the end token in both configuration files."""
    config = json.loads((folder / "config.json").read_text()) | {"eos_token_id": token}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {
        "_from_model_config": True, "bos_token_id": config["bos_token_id"], "eos_token_id": token})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def load(folder):
    """The model as it lies on disk, in float32 with plain (eager) attention."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def logits_of(model, tokens):
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].float()


@torch.no_grad()
def greedy(model, prompt, count):
    """`count` tokens, each the argmax of a whole forward pass without any cache, and the smallest margin seen."""
    tokens = list(prompt)
    margin = math.inf
    for _ in range(count):
        row = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].float()
        top = torch.topk(row, 2).values
        margin = min(margin, float(top[0] - top[1]))
        if margin < 2e-3:
            return None, margin
        tokens.append(int(row.argmax()))
    return tokens[len(prompt):], margin


def record(folder, seed, lengths=(1, 7, 40, 150), note=None, model=None):
    """Draws prompts until their greedy continuations are clear-cut, then writes `golden.json` and `logits.bin`."""
    folder = pathlib.Path(folder)
    model = model or load(folder)
    vocabulary = model.config.vocab_size
    generator = np.random.default_rng(seed)
    cases, rows, offset = [], [], 0
    for length in lengths:
        for attempt in range(60):
            prompt = generator.integers(0, vocabulary, length).tolist()
            if length >= 7:
                prompt[2], prompt[4] = vocabulary - 1, 0
            continuation, margin = greedy(model, prompt, GREEDY)
            if continuation and len(set(continuation)) >= 5:
                break
        else:
            raise SystemExit(f"{folder}: no clear greedy continuation for a prompt of {length}; try another seed")
        logits = logits_of(model, prompt)
        positions = KEPT[length]
        kept = logits[positions].numpy().astype("<f4")
        cases.append({
            "name": f"p{length}", "prompt": prompt, "positions": positions, "offset": offset,
            "greedy": continuation, "greedy_margin": round(margin, 5),
            "logit_std": round(float(logits.std()), 3),
        })
        rows.append(kept)
        offset += kept.size
    wide = load(folder).double() if note is None else None
    deviation = None
    if wide is not None:
        deviation = max(
            float((logits_of(wide, c["prompt"])[c["positions"]] - torch.from_numpy(r)).abs().max())
            for c, r in zip(cases, rows))
    golden = {
        "note": note or "logits and greedy tokens by transformers in float32 with eager attention and no cache",
        "architecture": type(model).__name__, "vocab_size": vocabulary,
        "logits_file": "logits.bin", "logits_type": "float32 little-endian, one row of vocab_size per position",
        "float64_deviation": deviation, "cases": cases,
    }
    text = json.dumps(golden, indent=1)
    text = re.sub(r"\[\s+((?:-?\d+,?\s+)+)\]", lambda m: "[" + " ".join(m.group(1).split()) + "]", text)
    (folder / "golden.json").write_text(text + "\n")
    said = {token for case in cases for token in case["greedy"]}
    end_with(folder, next(token for token in reversed(range(vocabulary)) if token not in said))
    (folder / "logits.bin").write_bytes(np.concatenate([r.ravel() for r in rows]).tobytes())
    return golden
