"""Writes the golden files of Tests/CheckpointsTests/Goldens with the reference packages of both formats.

Usage: python make_goldens.py <folder>        needs: gguf, safetensors, numpy

Byte i of the t-th tensor's data is (7 i + 31 t + 5) mod 256, so that the tests know every byte without a copy.
"""
import json
import os
import sys

import gguf
import numpy as np
from safetensors import TensorSpec, serialize_file

folder = sys.argv[1]
Q = gguf.GGMLQuantizationType


def data(number, count):
    return ((np.arange(count, dtype=np.int64) * 7 + 31 * number + 5) % 256).astype(np.uint8)


def spec(dtype, shape, array):
    """The caller keeps `array` alive until the file is written."""
    return TensorSpec(dtype=dtype, shape=shape, data_ptr=array.ctypes.data, data_len=array.nbytes)


def place(name):
    return os.path.join(folder, name)


TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
         "IQ4_NL", "IQ4_XS", "MXFP4"]


def add_tensors(writer):
    for number, name in enumerate(TYPES):
        kind = Q[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        row_bytes = 512 // block * size if block > 1 else 3 * size
        rows = data(number, 2 * row_bytes).reshape(2, row_bytes)
        writer.add_tensor(f"w.{name}", rows, raw_dtype=kind)


# Every value type, every tensor type, an alignment of its own.
writer = gguf.GGUFWriter(place("every-type.gguf"), "golden")
writer.add_custom_alignment(64)
writer.add_uint8("v.uint8", 255)
writer.add_int8("v.int8", -128)
writer.add_uint16("v.uint16", 65535)
writer.add_int16("v.int16", -32768)
writer.add_uint32("v.uint32", 2**32 - 1)
writer.add_int32("v.int32", -(2**31))
writer.add_uint64("v.uint64", 2**64 - 1)
writer.add_int64("v.int64", -(2**63))
writer.add_float32("v.float32", 1e-5)
writer.add_float64("v.float64", 0.1)
writer.add_bool("v.true", True)
writer.add_bool("v.false", False)
writer.add_string("v.string", "naïve 🦆")
writer.add_array("a.tokens", ["<s>", "▁the", "é"])
writer.add_array("a.ints", [1, -2, 3])
writer.add_array("a.floats", [0.5, -1.25])
writer.add_array("a.bools", [True, False, True])
writer.add_array("a.nested", [[1, 2], [3]])
add_tensors(writer)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# Split by the package into three files.
writer = gguf.GGUFWriter(place("split.gguf"), "golden", split_max_tensors=2)
for number in range(5):
    writer.add_tensor(f"t{number}", data(number, 4 * 6).view(np.float32).reshape(2, 3))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# Every element type of safetensors, a scalar and an empty tensor.
SAFE = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
        "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}
NAMES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
         "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32",
         "F32": "float32", "F64": "float64", "I64": "int64", "U64": "uint64"}
arrays = [data(number, 6 * size) for number, size in enumerate(SAFE.values())] + [data(len(SAFE), 4), data(0, 0)]
tensors = {f"t.{name}": spec(NAMES[name], [2, 3], arrays[number]) for number, name in enumerate(SAFE)}
tensors["scalar"] = spec("float32", [], arrays[-2])
tensors["empty"] = spec("float32", [0, 4], arrays[-1])
serialize_file(tensors, place("every-type.safetensors"), {"format": "pt", "note": "naïve \"quoted\" \\ 🦆"})

# A sharded folder.
shards = place("sharded")
os.makedirs(shards, exist_ok=True)
weight_map = {}
for shard in range(2):
    file = f"model-{shard + 1:05d}-of-00002.safetensors"
    part = {}
    arrays = {number: data(number, 12) for number in range(shard * 2, shard * 2 + 2)}
    for number, array in arrays.items():
        part[f"t{number}"] = spec("bfloat16", [3, 2], array)
        weight_map[f"t{number}"] = file
    serialize_file(part, os.path.join(shards, file), {"format": "pt"})
with open(os.path.join(shards, "model.safetensors.index.json"), "w") as f:
    json.dump({"metadata": {"total_size": 48}, "weight_map": weight_map}, f, indent=2)
with open(os.path.join(shards, "config.json"), "w") as f:
    json.dump({"architectures": ["GoldenForCausalLM"], "hidden_size": 64, "rope_theta": 10000, "rms_norm_eps": 1e-05,
               "tie_word_embeddings": False, "eos_token_id": [2, 7], "bos_token_id": 1, "sliding_window": None,
               "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
               "time_step_limit": [0.0, float("inf")], "layer_types": ["full_attention", "sliding_attention"],
               "text_config": {"hidden_size": 32, "nested": {"deep": True}}}, f, indent=2)
with open(os.path.join(shards, "generation_config.json"), "w") as f:
    json.dump({"temperature": 0.6, "top_k": 20, "do_sample": True}, f)
