"""GGUF files of the tiny checkpoints, with goldens computed from the values that lie in each file.

    python make_gguf.py ../../Goldens/models ../../Goldens/gguf [name …]      what the repository keeps
    python make_gguf.py ../../Goldens/models SOMEWHERE --all                  every checkpoint in F32, every type pure
"""

import pathlib
import sys
import tempfile
import zlib

from gguf.constants import GGMLQuantizationType as T

from checkpoint_list import CHECKPOINTS
from gguf_conversion import convert
from lively import build, record, report, save

K_MIX = {"token_embd": T.Q2_K, "attn_q": T.Q2_K, "attn_k": T.Q3_K, "attn_v": T.Q3_K, "ffn_gate": T.Q3_K,
         "attn_output": T.Q5_K, "ffn_up": T.Q5_K, "ffn_down": T.IQ4_XS}
SMALL_MIX = {"token_embd": T.Q5_1, "attn_q": T.Q4_1, "attn_k": T.Q5_0, "attn_v": T.Q8_0, "ffn_gate": T.IQ4_NL,
             "attn_output": T.Q5_1, "ffn_up": T.MXFP4, "ffn_down": T.Q4_0}


def pure(kind):
    return lambda name: kind


def mixed(table):
    return lambda name: table[name.removesuffix(".weight").split(".")[-1]]


# The score scale of Gemma is not stored in GGUF: it follows from the head's width.
SCALE = {"gemma2": {"override": {"query_pre_attn_scalar": 16}}, "gemma3": {"override": {"query_pre_attn_scalar": 8}}}

KEPT = {
    "llama-plain-F32": ("llama-plain", pure(T.F32), {}),
    "llama-tied-F16": ("llama-tied", pure(T.F16), {"style": "llama"}),
    "llama-llama3-rope-F16": ("llama-llama3-rope", pure(T.F16), {}),
    "llama-linear-rope-F16": ("llama-linear-rope", pure(T.F16), {}),
    "llama-yarn-BF16": ("llama-yarn", pure(T.BF16), {}),
    "llama-bias-F32": ("llama-bias", pure(T.F32), {}),
    "llama-head-dim-F16": ("llama-head-dim", pure(T.F16), {}),
    "mistral-full-BF16": ("mistral-full", pure(T.BF16), {}),
    "qwen2-tied-F16": ("qwen2-tied", pure(T.F16), {}),
    "qwen3-untied-BF16": ("qwen3-untied", pure(T.BF16), {}),
    "gemma2-F16": ("gemma2", pure(T.F16), SCALE["gemma2"]),
    "gemma3-scaled-rope-BF16": ("gemma3-scaled-rope", pure(T.BF16), {}),
    "gemma3-six-layers-BF16": ("gemma3-six-layers", pure(T.BF16), {}),
    "phi3-longrope-short-F16": ("phi3-longrope-short", pure(T.F16), {}),
    "phi3-longrope-long-F16": ("phi3-longrope-long", pure(T.F16), {"lengths": (40, 150)}),
    "phi3-partial-rotary-BF16": ("phi3-partial-rotary", pure(T.BF16), {}),
    "gpt2-F32": ("gpt2", pure(T.F32), {}),
    "gpt2-bare-names-F16": ("gpt2-bare-names", pure(T.F16), {}),
    "llama-rows32-Q8_0": ("llama-rows32", pure(T.Q8_0), {}),
    "llama-rows32-Q4_0": ("llama-rows32", pure(T.Q4_0), {}),
    "llama-rows32-mixed": ("llama-rows32", mixed(SMALL_MIX), {}),
    "llama-rows256-Q4_K": ("llama-rows256", pure(T.Q4_K), {}),
    "llama-rows256-Q6_K": ("llama-rows256", pure(T.Q6_K), {}),
    "llama-rows256-mixed": ("llama-rows256", mixed(K_MIX), {}),
}

ROWS32 = [T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.IQ4_NL, T.MXFP4]
ROWS256 = [T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_XS]


def everything(models):
    entries = {}
    for folder in sorted(models.iterdir()):
        options = dict(SCALE.get(folder.name, {}))
        if folder.name == "phi3-longrope-long":
            options["lengths"] = (40, 150)
        entries[f"{folder.name}-F32"] = (folder.name, pure(T.F32), options)
    for checkpoint, kinds in (("llama-rows32", ROWS32), ("llama-rows256", ROWS256)):
        entries |= {f"{checkpoint}-{kind.name}": (checkpoint, pure(kind), {}) for kind in kinds}
    return entries


def main():
    models, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    entries = everything(models) if "--all" in sys.argv else KEPT
    wanted = {name for name in sys.argv[3:] if not name.startswith("--")}
    for name, (checkpoint, choose, options) in entries.items():
        if wanted and name not in wanted:
            continue
        path = target / f"{name}.gguf"
        options = dict(options)
        lengths = options.pop("lengths", (7, 40, 150))
        folder = models / checkpoint
        if CHECKPOINTS[checkpoint].get("unkept"):
            folder = pathlib.Path(tempfile.gettempdir()) / checkpoint
            build(folder, CHECKPOINTS[checkpoint], 77)
        model = convert(folder, path, choose, **options)
        golden, rows = record(
            model, model.config.vocab_size, zlib.crc32(name.encode()), lengths,
            "logits and greedy tokens by transformers in float32 with eager attention and no cache, from the values "
            "that the file's blocks stand for: activations are not quantized, so an engine that quantizes them differs")
        convert(folder, path, choose, end_token=golden["end_token"], **options)
        save(golden, rows, target / f"{name}.golden.json", target / f"{name}.logits.bin")
        report(name, golden, path.stat().st_size)


if __name__ == "__main__":
    main()
