"""Random weights that make mistakes show, and the record of what `transformers` computes from them.

A network of plain small random weights hides errors: its attention is uniform, its norms are all one, its biases are
zero and its logits are flat. Here every projection is scaled so that attention is peaked, logits spread by about two,
norm weights scatter around one and biases are far from zero.
"""

import copy
import json
import math
import pathlib
import re

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

torch.set_num_threads(1)  # tiny work: threads only wait for each other

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


def build(folder, entry, seed):
    """Writes a checkpoint in the layout of the Hugging Face hub.

    `entry["config"]` is the dictionary of `config.json` as published checkpoints have it; with `modern` the file is
    instead written by `transformers` 5, whose rotation settings lie in `rope_parameters`. `bare` is a prefix to leave
    out of the tensors' names, as old checkpoints do.
    """
    dtype = entry.get("dtype", "F32")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
    config = entry["config"] | {"torch_dtype": names[dtype]}
    parsed = AutoConfig.for_model(**config)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(parsed, attn_implementation="eager", dtype=torch.float32)
    randomise(model, torch.Generator().manual_seed(seed))
    model.to(DTYPES[dtype]).save_pretrained(folder)
    weights = folder / "model.safetensors"
    if "bare" in entry:
        tensors = {name.removeprefix(entry["bare"]): value for name, value in load_file(weights).items()}
        save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
    if not entry.get("modern"):
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


def record(model, vocabulary, seed, lengths, note):
    """Draws prompts until their greedy continuations are clear-cut; the golden as a dictionary and its rows."""
    generator = np.random.default_rng(seed)
    cases, rows, offset = [], [], 0
    for length in lengths:
        for _ in range(60):
            prompt = generator.integers(0, vocabulary, length).tolist()
            if length >= 7:
                prompt[2], prompt[4] = vocabulary - 1, 0
            continuation, margin = greedy(model, prompt, GREEDY)
            if continuation and len(set(continuation)) >= 5:
                break
        else:
            raise SystemExit(f"no clear greedy continuation for a prompt of {length}; try another seed")
        logits = logits_of(model, prompt)
        kept = logits[KEPT[length]].numpy().astype("<f4")
        cases.append({
            "name": f"p{length}", "prompt": prompt, "positions": KEPT[length], "offset": offset,
            "greedy": continuation, "greedy_margin": round(margin, 5), "logit_std": round(float(logits.std()), 3)})
        rows.append(kept)
        offset += kept.size
    wide = copy.deepcopy(model).double()
    deviation = max(
        float((logits_of(wide, case["prompt"])[case["positions"]] - torch.from_numpy(kept)).abs().max())
        for case, kept in zip(cases, rows))
    said = {token for case in cases for token in case["greedy"]}
    golden = {
        "note": note, "architecture": type(model).__name__, "vocab_size": vocabulary,
        "end_token": next(token for token in reversed(range(vocabulary)) if token not in said),
        "logits_type": "float32 little-endian, one row of vocab_size for each position; offsets count numbers",
        "float64_deviation": float(f"{deviation:.2g}"), "cases": cases}
    return golden, rows


def save(golden, rows, json_path, logits_path):
    golden = {"logits_file": logits_path.name} | golden
    text = json.dumps(golden, indent=1)
    text = re.sub(r"\[\s+((?:-?\d+,?\s+)+)\]", lambda m: "[" + " ".join(m.group(1).split()) + "]", text)
    json_path.write_text(text + "\n")
    logits_path.write_bytes(np.concatenate([row.ravel() for row in rows]).tobytes())


def report(name, golden, size):
    cases = golden["cases"]
    print(f"{name:32} {size:7} bytes  margin {min(c['greedy_margin'] for c in cases):.4f}"
          f"  logit std {cases[-1]['logit_std']:.2f}  distinct {[len(set(c['greedy'])) for c in cases]}"
          f"  float64 {golden['float64_deviation']:.1e}", flush=True)
