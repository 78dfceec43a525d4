"""Writes a trained model: BF16 safetensors as Hugging Face lays them out, and if wanted Q8_0 as GGUF.

  python export.py stories --checkpoint <work>/last.pt --out ../../Models/stories --gguf ../../Sources/Apus/Resources/stories.gguf
"""
import argparse
import json
import os

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import make_tokenizer
import steps
from model import FAMILY

HERE = os.path.dirname(os.path.abspath(__file__))
CHAT = {"sums", "sums-prm", "chat"}


def write_safetensors(name, checkpoint, out):
    os.makedirs(out, exist_ok=True)
    state = torch.load(checkpoint, weights_only=False, map_location="cpu")["network"]
    save_file({key: value.to(torch.bfloat16).contiguous() for key, value in state.items()},
              os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    config = FAMILY[name] | ({"apus_step_reward": steps.CONVENTION} if name == "sums-prm" else {})
    generation = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "do_sample": True, "temperature": 0.8,
                  "top_p": 0.95, "max_length": config["max_position_embeddings"]}
    for file, value in (("config.json", config), ("generation_config.json", generation)):
        with open(os.path.join(out, file), "w") as handle:
            json.dump(value, handle, indent=2)
            handle.write("\n")
    tokenizer = Tokenizer.from_file(os.path.join(HERE, "tokenizer", "tokenizer.json"))
    make_tokenizer.save(tokenizer, out, config["max_position_embeddings"], chat=name in CHAT)


def pairs_adjacent(weight, heads):
    """Rows of a query or key projection reordered from (i, i + half) pairs to (2i, 2i + 1), GGUF's order for llama."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


NAMES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
         "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def write_gguf(name, folder, file):
    """From the BF16 weights in `folder`, so that both files hold the same model."""
    with open(os.path.join(folder, "config.json")) as handle:
        c = json.load(handle)
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as handle:
        t = json.load(handle)
    w = gguf.GGUFWriter(file, "llama")
    w.add_name(f"apus {name}")
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_rope_dimension_count(c["head_dim"])
    w.add_rope_freq_base(c["rope_theta"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_vocab_size(c["vocab_size"])
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    special = {entry["id"] for entry in t["added_tokens"]}
    tokens = sorted(t["model"]["vocab"], key=t["model"]["vocab"].get)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list([token.encode() for token in tokens])
    w.add_token_types([gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL for i in range(len(tokens))])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]])
    w.add_bos_token_id(c["bos_token_id"])
    w.add_eos_token_id(c["eos_token_id"])
    w.add_pad_token_id(c["pad_token_id"])
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    if name in CHAT:
        w.add_chat_template(make_tokenizer.CHAT_TEMPLATE)
    for key, value in load_file(os.path.join(folder, "model.safetensors")).items():
        value = value.float().numpy()
        if key == "model.embed_tokens.weight":
            target = "token_embd.weight"  # tied: the output projection is this tensor
        elif key == "model.norm.weight":
            target = "output_norm.weight"
        else:
            _, _, block, rest = key.split(".", 3)
            part = rest.removesuffix(".weight")
            target = f"blk.{block}.{NAMES[part]}.weight"
            if part.endswith("q_proj"):
                value = pairs_adjacent(value, c["num_attention_heads"])
            elif part.endswith("k_proj"):
                value = pairs_adjacent(value, c["num_key_value_heads"])
        if value.ndim == 1:
            w.add_tensor(target, value)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            w.add_tensor(target, gguf.quants.quantize(np.ascontiguousarray(value), kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(FAMILY))
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--gguf", help="where to write Q8_0")
    o = parser.parse_args()
    write_safetensors(o.name, o.checkpoint, o.out)
    if o.gguf:
        write_gguf(o.name, o.out, o.gguf)
        print(o.gguf, os.path.getsize(o.gguf))
    for file in sorted(os.listdir(o.out)):
        print(file, os.path.getsize(os.path.join(o.out, file)))
