"""Makes Goldens/layouts: one small projection in each published layout of quantized weights, and the values it stands for.

Needs numpy, torch, safetensors, compressed-tensors and bitsandbytes. Usage: make_layouts.py FOLDER

A folder for each layout holds config.json (its quantization_config) and model.safetensors with the tensors of one projection
"layer.proj", [32, 128], and `layer.proj.expected`, float32 (bfloat16 where that is exact).
- ct-*: made and read back by compressed-tensors itself; bnb-nf4 by bitsandbytes.
- gptq-*, awq-*: packed here with the published layouts, word by word as AutoGPTQ and AutoAWQ do it.
"""

import json
import pathlib
import sys

import numpy
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file

root = pathlib.Path(sys.argv[1])
OUT, IN = 32, 128
random = numpy.random.default_rng(11)
torch.manual_seed(11)


def save(name, config, tensors, expected):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"quantization_config": config}) + "\n")
    expected = expected.to(torch.float32)
    if torch.equal(expected, expected.to(torch.bfloat16).to(torch.float32)):
        expected = expected.to(torch.bfloat16)
    tensors = {f"layer.proj.{key}": value.contiguous() for key, value in tensors.items()}
    save_file({**tensors, "layer.proj.expected": expected.contiguous()}, folder / "model.safetensors")


# ---- GPTQ ----

def pack_rows(values, bits):
    """Rows of unsigned numbers into 32-bit words along the first axis, as AutoGPTQ packs them."""
    count, columns = values.shape
    words = numpy.zeros((count * bits // 32, columns), numpy.uint32)
    values = values.astype(numpy.uint32)
    i = row = 0
    while row < len(words):
        if bits in (2, 4, 8):
            for j in range(i, i + 32 // bits):
                words[row] |= values[j] << numpy.uint32(bits * (j - i))
            i += 32 // bits
            row += 1
        else:
            for j in range(i, i + 10):
                words[row] |= values[j] << numpy.uint32(3 * (j - i))
            i += 10
            words[row] |= values[i] << numpy.uint32(30)
            row += 1
            words[row] |= (values[i] >> 2) & 1
            i += 1
            for j in range(i, i + 10):
                words[row] |= values[j] << numpy.uint32(3 * (j - i) + 1)
            i += 10
            words[row] |= values[i] << numpy.uint32(31)
            row += 1
            words[row] |= (values[i] >> 1) & 3
            i += 1
            for j in range(i, i + 10):
                words[row] |= values[j] << numpy.uint32(3 * (j - i) + 2)
            i += 10
            row += 1
    return torch.from_numpy(words.view(numpy.int32))


def gptq(name, bits, group, symmetric, act_order, version=1):
    size = IN if group == -1 else group
    groups = IN // size
    codes = random.integers(0, 1 << bits, (IN, OUT))
    scales = (random.uniform(0.5, 2, (groups, OUT)) * 0.01).astype(numpy.float16)
    zeros = numpy.full((groups, OUT), 1 << (bits - 1)) if symmetric else random.integers(1, 1 << bits, (groups, OUT))
    g_idx = numpy.arange(IN) // size
    if act_order:
        g_idx = g_idx[random.permutation(IN)]
    expected = scales[g_idx].astype(numpy.float32) * (codes - zeros[g_idx]).astype(numpy.float32)
    stored = zeros - (1 if version == 1 else 0)
    tensors = {
        "qweight": pack_rows(codes, bits), "qzeros": pack_rows(stored.T, bits).T,
        "scales": torch.from_numpy(scales), "g_idx": torch.from_numpy(g_idx.astype(numpy.int32)),
    }
    config = {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric, "desc_act": act_order}
    if version == 2:
        config["checkpoint_format"] = "gptq_v2"
    save(name, config, tensors, torch.from_numpy(expected.T.copy()))


gptq("gptq-4-order", 4, 32, True, True)
gptq("gptq-3", 3, 64, False, True)
gptq("gptq-2-v2", 2, 32, False, False, version=2)
gptq("gptq-8-channel", 8, -1, True, False)


# ---- AWQ ----

def awq(name, group):
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    groups = IN // group
    codes = random.integers(0, 16, (IN, OUT)).astype(numpy.uint32)
    zeros = random.integers(0, 16, (groups, OUT)).astype(numpy.uint32)
    scales = (random.uniform(0.5, 2, (groups, OUT)) * 0.01).astype(numpy.float16)

    def pack(values):
        words = numpy.zeros((len(values), OUT // 8), numpy.uint32)
        for column in range(OUT // 8):
            for i in range(8):
                words[:, column] |= values[:, column * 8 + order[i]] << numpy.uint32(4 * i)
        return torch.from_numpy(words.view(numpy.int32))

    index = numpy.arange(IN) // group
    expected = scales[index].astype(numpy.float32) * (codes.astype(numpy.float32) - zeros[index].astype(numpy.float32))
    tensors = {"qweight": pack(codes), "qzeros": pack(zeros), "scales": torch.from_numpy(scales)}
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm"}
    save(name, config, tensors, torch.from_numpy(expected.T.copy()))


awq("awq-4", 64)


# ---- compressed-tensors ----

def compressed(name, format, bits, kind, strategy, group=None, symmetric=True, scale_type=torch.bfloat16, shuffle=False):
    arguments = dict(num_bits=bits, type=kind, strategy=strategy, symmetric=symmetric)
    if group:
        arguments["group_size"] = group
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**arguments))
    columns = IN // group if group else 1
    state = {}
    scale = (torch.rand(OUT, columns) + 0.5) * 0.01
    if format == "nvfp4-pack-quantized":
        state["weight_global_scale"] = torch.tensor([437.25])
        scale = (scale * 437.25 * 10).to(torch.float8_e4m3fn).to(torch.float32)
    elif format == "mxfp4-pack-quantized":
        scale = 2.0 ** torch.randint(-9, -5, (OUT, columns)).to(torch.float32)
    else:
        scale = scale.to(scale_type)
    state["weight_scale"] = scale
    reach = {"int": 2 ** (bits - 1), "float": 448 if bits == 8 else 6}[kind]
    factor = scale.to(torch.float32).repeat_interleave(IN // columns, 1) / state.get("weight_global_scale", 1)
    state["weight"] = (torch.rand(OUT, IN) * 2 - 1) * factor * reach
    if not symmetric:
        state["weight_zero_point"] = torch.randint(-reach, reach, (OUT, columns)).to(torch.int8)
    if shuffle:
        state["weight_g_idx"] = (torch.arange(IN) // group)[torch.randperm(IN)].to(torch.int32)
    compressor = BaseCompressor.get_value_from_registry(format)
    packed = compressor.compress(dict(state), scheme)
    if "weight_packed" in packed and format == "pack-quantized":
        packed["weight_shape"] = torch.tensor([OUT, IN])
    back = {key: value.clone() for key, value in packed.items()}
    if shuffle:
        back.pop("weight_g_idx", None)
        ordered = torch.argsort(state["weight_g_idx"], stable=True)
    expected = compressor.decompress(back, scheme)["weight"].to(torch.float32)
    # Its own dequantization may end in the scales' type: the value itself is code × scale.
    if "weight_packed" in packed and format == "pack-quantized":
        from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32
        codes = unpack_from_int32(packed["weight_packed"], bits, torch.Size([OUT, IN])).to(torch.float32)
        index = torch.arange(IN) // (group or IN)
        zero = state["weight_zero_point"].to(torch.float32)[:, index] if not symmetric else 0
        exact = (codes - zero) * packed["weight_scale"].to(torch.float32)[:, index]
        assert torch.allclose(exact, expected, rtol=0.01, atol=1e-6), name
        expected = exact
    elif format == "float-quantized" or format == "naive-quantized" or format == "int-quantized":
        exact = packed["weight"].to(torch.float32) * packed["weight_scale"].to(torch.float32)
        assert torch.allclose(exact, expected, rtol=0.01, atol=1e-6), name
        expected = exact
    elif format == "nvfp4-pack-quantized":
        low, high = packed["weight_packed"] & 15, packed["weight_packed"] >> 4
        codes = torch.stack([low, high], -1).reshape(OUT, IN).to(torch.int64)
        levels = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
        values = torch.where(codes > 7, -1.0, 1.0) * levels[codes & 7]
        exact = values * (packed["weight_scale"].to(torch.float32) / packed["weight_global_scale"]).repeat_interleave(16, 1)
        assert torch.allclose(exact, expected, rtol=0.01, atol=1e-6), name
        expected = exact
    config = {
        "quant_method": "compressed-tensors", "format": format,
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {k: v for k, v in arguments.items()}}}, "ignore": ["lm_head"],
    }
    if "weight_scale" in packed and format == "mxfp4-pack-quantized":
        assert packed["weight_scale"].dtype == torch.uint8
    save(name, config, packed, expected)


compressed("ct-int4", "pack-quantized", 4, "int", "group", 32)
compressed("ct-int4-zero", "pack-quantized", 4, "int", "group", 64, symmetric=False, scale_type=torch.float16)
compressed("ct-int3", "pack-quantized", 3, "int", "group", 128, scale_type=torch.float32)
compressed("ct-int8", "pack-quantized", 8, "int", "channel")
compressed("ct-w8a8", "int-quantized", 8, "int", "channel")
compressed("ct-fp8", "float-quantized", 8, "float", "channel")
compressed("ct-nvfp4", "nvfp4-pack-quantized", 4, "float", "tensor_group", 16)
compressed("ct-mxfp4", "mxfp4-pack-quantized", 4, "float", "group", 32)

# ---- FP8 in square blocks, as `fp8` checkpoints have it ----

codes = (torch.rand(OUT, IN) * 2 - 1).to(torch.float8_e4m3fn)
inverse = (torch.rand(2, 2) + 0.5) * 0.01
expected = codes.to(torch.float32) * inverse.repeat_interleave(16, 0).repeat_interleave(64, 1)
save("fp8-blocks", {"quant_method": "fp8", "weight_block_size": [16, 64]}, {"weight": codes, "weight_scale_inv": inverse}, expected)

# ---- NF4 with double quantization ----

import bitsandbytes.functional

codes, state = bitsandbytes.functional.quantize_4bit(
    torch.randn(OUT, IN) * 0.05, blocksize=64, compress_statistics=True, quant_type="nf4")
tensors = {f"weight.{key}": value for key, value in state.as_dict(packed=True).items()}
save("bnb-nf4", {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
                 "bnb_4bit_use_double_quant": True}, {"weight": codes, **tensors},
     bitsandbytes.functional.dequantize_4bit(codes, state))
