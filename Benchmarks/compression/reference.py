"""GPTQ or AWQ of a GGUF model of the llama architecture in torch, block by block, as the authors' code does it: the reference that
quantize_ratio.py measures beside `apus quantize`.

    python reference.py {gptq,awq} MODEL.gguf TOKENS.npy ROWS LENGTH

GPTQ: 4 bits in groups of 128 (32 where rows are no multiple), columns as they stand, lazy blocks of 128, damping 0.01; AWQ: the search over 20
exponents by the error in the outputs of 512 rows. Prints one JSON object: seconds (loading excluded), peak_bytes.
"""
import json
import math
import resource
import sys
import time

import numpy as np
import torch
from gguf import GGUFReader, dequantize

method, path, tokens, rows, length = sys.argv[1:]
rows, length = int(rows), int(length)
torch.set_num_threads(2)
torch.set_grad_enabled(False)
reader = GGUFReader(path)
fields = {k: f.contents() for k, f in reader.fields.items() if not k.startswith("tokenizer")}
stored = {t.name: t for t in reader.tensors}


def tensor(name):
    t = stored[name]
    return torch.from_numpy(dequantize(t.data, t.tensor_type).astype(np.float32).reshape(*reversed(t.shape.tolist())))


layers, heads = fields["llama.block_count"], fields["llama.attention.head_count"]
kept, epsilon = fields["llama.attention.head_count_kv"], fields["llama.attention.layer_norm_rms_epsilon"]
width = fields["llama.embedding_length"]
head = fields.get("llama.attention.key_length", width // heads)
base = fields.get("llama.rope.freq_base", 10000.0)
angles = torch.outer(torch.arange(length).float(), base ** (-torch.arange(0, head, 2).float() / head))
cosines, sines = angles.cos(), angles.sin()
GRID = 15


def norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def rotate(x):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cosines - b * sines, a * sines + b * cosines], -1).flatten(-2)


def attend(x, w):
    n = x.shape[0]
    q = rotate((x @ w["attn_q"].T).view(n, length, heads, head).transpose(1, 2))
    k = rotate((x @ w["attn_k"].T).view(n, length, kept, head).transpose(1, 2)).repeat_interleave(heads // kept, 1)
    v = (x @ w["attn_v"].T).view(n, length, kept, head).transpose(1, 2).repeat_interleave(heads // kept, 1)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, length, -1)


def block(x, w, heard=None):
    """One block on [rows, length, width]; heard(name, rows) is told the inputs."""
    def tell(name, value):
        if heard:
            heard(name, value.reshape(-1, value.shape[-1]))
        return value
    inner = attend(tell("in", norm(x, w["attn_norm"])), w)
    x = x + tell("o", inner) @ w["attn_output"].T
    y = tell("ff", norm(x, w["ffn_norm"]))
    y = torch.nn.functional.silu(y @ w["ffn_gate"].T) * (y @ w["ffn_up"].T)
    return x + tell("down", y) @ w["ffn_down"].T


def grid(w):
    low, high = w.amin(1).clamp(max=0), w.amax(1).clamp(min=0)
    scale = ((high - low) / GRID).clamp(min=1e-9)
    return scale, torch.round(-low / scale)


def rounded(w, scale, zero):
    return scale * (torch.clamp(torch.round(w / scale) + zero, 0, GRID) - zero)


def gptq(w, h):
    n = w.shape[1]
    group = 128 if n % 128 == 0 else 32
    h = h + torch.eye(n) * 0.01 * h.diagonal().mean()
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    w, q = w.clone(), torch.zeros_like(w)
    for first in range(0, n, 128):
        last = min(first + 128, n)
        part, errors, inverse = w[:, first:last].clone(), torch.zeros(w.shape[0], last - first), u[first:last, first:last]
        for i in range(last - first):
            if (first + i) % group == 0:
                ahead = part[:, i:i + group] if i + group <= last - first else w[:, first + i:first + i + group]
                scale, zero = grid(ahead)
            value = rounded(part[:, i], scale, zero)
            q[:, first + i] = value
            error = (part[:, i] - value) / inverse[i, i]
            part[:, i:] -= error[:, None] @ inverse[i, i:][None]
            errors[:, i] = error
        w[:, last:] -= errors @ u[first:last, last:]
    return q


def groups(w):
    n = w.shape[1]
    group = 128 if n % 128 == 0 else 32
    flat = w.reshape(-1, group)
    scale, zero = grid(flat)
    return rounded(flat, scale[:, None], zero[:, None]).reshape(w.shape)


STAGES = [("in", ["attn_q", "attn_k", "attn_v"]), ("o", ["attn_output"]), ("ff", ["ffn_gate", "ffn_up"]), ("down", ["ffn_down"])]
ids = torch.from_numpy(np.load(tokens)[: rows * length].reshape(rows, length))
x = tensor("token_embd.weight")[ids]
step = max(1, 2048 // length)
began = time.monotonic()
for layer in range(layers):
    w = {n: tensor(f"blk.{layer}.{n}.weight") for n in
         ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"]}
    for stage, names in STAGES:
        sums, samples = {}, {}

        def heard(name, value):
            if name != stage:
                return
            if method == "gptq":
                sums[name] = sums.get(name, 0) + value.T @ value
            else:
                sums[name] = sums.get(name, 0) + value.abs().sum(0)
                if name not in samples:
                    samples[name] = value[:512].clone()

        for first in range(0, rows, step):
            block(x[first:first + step], w, heard)
        if method == "gptq":
            for name in names:
                w[name] = gptq(w[name], sums[stage])
        else:
            salience, sample = sums[stage] / (rows * length), samples[stage]
            exact, best = [sample @ w[n].T for n in names], None
            for exponent in range(20):
                s = salience.clamp(min=1e-4) ** (exponent / 20)
                s = s / math.sqrt(s.max() * s.min())
                values = [groups(w[n] * s) / s for n in names]
                error = sum(float(((sample @ v.T - e) ** 2).sum()) for v, e in zip(values, exact))
                if best is None or error < best[0]:
                    best = (error, values)
            for name, value in zip(names, best[1]):
                w[name] = value
    for first in range(0, rows, step):
        x[first:first + step] = block(x[first:first + step], w)
print(json.dumps({"seconds": time.monotonic() - began,
                  "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
