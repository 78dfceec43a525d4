"""From a checkpoint in Hugging Face layout to GGUF: metadata keys, tensor names, and what happens to the numbers."""

import json
import math
import pathlib

import numpy as np
import torch
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, RopeScalingType
from gguf.quants import dequantize
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

import reference_library
from dummy_tokenizer import add_tokenizer

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma2": "gemma2",
                 "gemma3_text": "gemma3", "phi3": "phi3", "gpt2": "gpt2"}

TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
       "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm"}

IN_BLOCK = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "self_attn.qkv_proj": "attn_qkv", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate_up_proj": "ffn_up",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}


def gguf_name(name, gemma):
    stem, _, kind = name.removeprefix("transformer.").rpartition(".")
    if stem in TOP:
        return f"{TOP[stem]}.{kind}"
    _, number, inner = stem.removeprefix("model.").split(".", 2)
    if inner == "post_attention_layernorm":
        return f"blk.{number}.{'post_attention_norm' if gemma else 'ffn_norm'}.{kind}"
    return f"blk.{number}.{IN_BLOCK[inner]}.{kind}"


def interleave(rows, heads):
    """Rows of each head from two halves to adjacent pairs: what the `llama` architecture stores for Q and K."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def deinterleave(rows, heads):
    shape = rows.shape
    return rows.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def change(name, config):
    """How a tensor's numbers are changed on the way to GGUF, and the way back."""
    if config.model_type in ("llama", "mistral") and (".q_proj." in name or ".k_proj." in name):
        heads = config.num_attention_heads if ".q_proj." in name else config.num_key_value_heads
        return lambda x: interleave(x, heads), lambda x: deinterleave(x, heads)
    if config.model_type.startswith("gemma") and name.endswith("norm.weight"):
        return lambda x: x + np.float32(1), lambda x: x - np.float32(1)
    if config.model_type == "gpt2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        return lambda x: np.ascontiguousarray(x.T), lambda x: np.ascontiguousarray(x.T)
    return lambda x: x, lambda x: x


def rotation(writer, config, rope, head_dim):
    """Rotation keys and tensors."""
    arch = ARCHITECTURES[config.model_type]
    writer.add_rope_freq_base(rope["rope_theta"])
    dimensions = int(head_dim * rope.get("partial_rotary_factor", 1.0))
    if arch in ("llama", "phi3"):
        writer.add_rope_dimension_count(dimensions)
    kind = rope["rope_type"]
    if kind == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif kind == "yarn":
        writer.add_rope_scaling_type(RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif kind == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(rope, dimensions))
    elif kind == "longrope":
        original = rope["original_max_position_embeddings"]
        scale = config.max_position_embeddings / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0)
        writer.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], np.float32))
        writer.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], np.float32))


def llama3_divisors(rope, dimensions):
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    original = rope["original_max_position_embeddings"]
    divisors = []
    for index in range(0, dimensions, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (index / dimensions)
        if wavelength < original / high:
            divisors.append(1.0)
        elif wavelength > original / low:
            divisors.append(rope["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(divisors, np.float32)


def metadata(writer, config):
    gpt2, gemma = config.model_type == "gpt2", config.model_type.startswith("gemma")
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length((config.n_inner or 4 * config.n_embd) if gpt2 else config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_vocab_size(config.vocab_size)
    if gpt2:
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if gemma or head_dim * heads != config.hidden_size or config.model_type == "qwen3":
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    rope = config.rope_parameters
    rotation(writer, config, rope.get("full_attention", rope), head_dim)
    if gemma:
        writer.add_sliding_window(config.sliding_window)
        period = config.layer_types.index("full_attention") + 1
        if period != (6 if config.model_type == "gemma3_text" else 2):
            writer.add_sliding_window_pattern(period)  # readers otherwise assume the published models' periods
        if getattr(config, "attn_logit_softcapping", None):
            writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        if config.final_logit_softcapping:
            writer.add_final_logit_softcapping(config.final_logit_softcapping)
    elif config.model_type == "phi3":
        writer.add_sliding_window(config.sliding_window or 0)


def pack(values, kind):
    if kind == GGMLQuantizationType.F32:
        return np.ascontiguousarray(values, np.float32)
    if kind == GGMLQuantizationType.F16:
        return values.astype(np.float16)
    return reference_library.quantize(values, kind)


def unpack(data, kind, shape):
    return dequantize(data.view(np.uint8) if kind == GGMLQuantizationType.BF16 else data, kind).astype(
        np.float32).reshape(shape)


def convert(folder, path, choose, end_token=None, override=None, style=None):
    """Writes `path` and returns a model with exactly the values that lie in it.

    `choose` gives the type of a matrix by its GGUF name. `override` replaces entries of the configuration.
    """
    folder = pathlib.Path(folder)
    stored = json.loads((folder / "config.json").read_text()) | (override or {})
    config = AutoConfig.for_model(**stored)
    gemma = config.model_type.startswith("gemma")
    writer = GGUFWriter(path, ARCHITECTURES[config.model_type])
    writer.add_name(folder.name)
    metadata(writer, config)
    style = style or ("phi3" if config.model_type == "phi3" else "gpt2")
    add_tokenizer(writer, config.vocab_size, style, stored["eos_token_id"] if end_token is None else end_token)
    values = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        original = tensor.float().numpy()
        there, back = change(name, config)
        new_name, new = gguf_name(name, gemma), there(original)
        kind = GGMLQuantizationType.F32
        if new.ndim == 2 and new_name != "position_embd.weight":
            kind = choose(new_name)
        packed = pack(new, kind)
        writer.add_tensor(new_name, packed, raw_dtype=kind)
        values[name] = torch.from_numpy(back(unpack(packed, kind, new.shape)).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    if config.model_type == "gpt2":
        values = {name if name.startswith("transformer.") else f"transformer.{name}": v for name, v in values.items()}
    missing, unexpected = model.load_state_dict(values, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model
