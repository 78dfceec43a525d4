"""Reads the files that `Fuzz samples <folder> <n>` wrote with the reference packages of both formats, and checks that
they agree with what the headers promise. Usage: python check_samples.py <folder>    needs: gguf, safetensors, numpy"""
import glob
import json
import os
import sys

import gguf
from safetensors import deserialize

BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
        "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
        "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}

counts = {"gguf": 0, "gguf tensors": 0, "gguf keys": 0, "safetensors": 0, "safetensors tensors": 0}
skipped = []
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.gguf"))):
    try:
        reader = gguf.GGUFReader(path)
    except Exception as error:  # what the package itself cannot read is listed, not passed over
        skipped.append((os.path.basename(path), repr(error)))
        continue
    counts["gguf"] += 1
    counts["gguf keys"] += len([k for k in reader.fields if not k.startswith("GGUF.")])
    size = os.path.getsize(path)
    for tensor in reader.tensors:
        block, block_bytes = gguf.GGML_QUANT_SIZES[tensor.tensor_type]
        assert tensor.n_bytes == tensor.n_elements // block * block_bytes == tensor.data.nbytes, (path, tensor.name)
        assert tensor.data_offset % reader.alignment == 0 and tensor.data_offset + tensor.n_bytes <= size
        counts["gguf tensors"] += 1
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.safetensors"))):
    with open(path, "rb") as f:
        data = f.read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    try:
        found = dict(deserialize(data))
    except Exception as error:
        skipped.append((os.path.basename(path), repr(error)))
        continue
    assert set(found) == set(header), path
    for name, tensor in found.items():
        begin, end = header[name]["data_offsets"]
        assert bytes(tensor["data"]) == data[8 + length + begin:8 + length + end], (path, name)
        assert list(tensor["shape"]) == header[name]["shape"] and tensor["dtype"] == header[name]["dtype"]
        elements = 1
        for dimension in tensor["shape"]:
            elements *= dimension
        assert elements * BITS[tensor["dtype"]] == 8 * (end - begin)
        counts["safetensors tensors"] += 1
    counts["safetensors"] += 1
print(counts)
print(len(skipped), "not read by the packages:", skipped[:10])
