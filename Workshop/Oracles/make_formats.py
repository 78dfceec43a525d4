"""Blocks of each weight format with their exact values, for the tests of readers, quantizers and kernels.

    python make_formats.py ../../Goldens/formats

For each type: random bytes that form valid blocks with hard scales (negative, zero, subnormal, huge) and extreme codes,
with the values `gguf.quants.dequantize` gives, and one Gaussian matrix quantized by reference.
"""

import json
import pathlib
import sys

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

import reference_library

ROWS, COLUMNS = 5, 512
GAUSSIAN_ROWS = 3
TYPES = "F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4".split()

# Where each block keeps its half-precision scales, in bytes from the block's start.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}

# Bits of halves that a reader can get wrong: ±0, smallest and largest subnormals, smallest normal, ±largest.
HARD_HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x7BFF, 0xFBFF]


def finite(codes, exponent_mask, hard):
    """Random bit patterns with infinities and NaNs made finite and the hard ones placed first."""
    lowest = exponent_mask & (~exponent_mask + codes.dtype.type(1))
    codes = np.where((codes & exponent_mask) == exponent_mask, codes & ~lowest, codes)
    codes.flat[:len(hard)] = hard
    return codes


def random_blocks(kind, random):
    if kind == "F32":
        codes = random.integers(0, 2**32, (ROWS, COLUMNS), np.uint32)
        return finite(codes, np.uint32(0x7F800000), [0, 0x80000000, 1, 0x807FFFFF, 0x7F7FFFFF]).view(np.uint8)
    if kind == "F16":
        codes = random.integers(0, 2**16, (ROWS, COLUMNS), np.uint16)
        return finite(codes, np.uint16(0x7C00), HARD_HALVES).view(np.uint8)
    if kind == "BF16":
        codes = random.integers(0, 2**16, (ROWS, COLUMNS), np.uint16)
        return finite(codes, np.uint16(0x7F80), [0, 0x8000, 1, 0x807F, 0x7F7F, 0xFF7F]).view(np.uint8)
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    count = ROWS * COLUMNS // block
    data = random.integers(0, 256, (count, size), np.uint8)
    data[1], data[2] = 0xFF, 0x00  # every code at its ends
    if kind == "MXFP4":
        # A scale is a power of two; 0 and 1 are subnormal, and 251 and above could overflow float32.
        data[:, 0] = random.integers(100, 150, count)
        data[:6, 0] = [0, 1, 2, 250, 127, 128]
        return data.reshape(ROWS, -1)
    for number, offset in enumerate(HALVES[kind]):
        scales = (random.standard_normal(count) * 0.05).astype(np.float16)
        scales[1:3] = [0.25, -0.25]
        hard = min(len(HARD_HALVES), count - 3)
        scales[3:3 + hard] = np.roll(np.array(HARD_HALVES, np.uint16), 3 * number)[:hard].view(np.float16)
        data[:, offset:offset + 2] = scales.view(np.uint8).reshape(count, 2)
    return data.reshape(ROWS, -1)


def values_of(data, kind):
    """By the Python package, checked against the C library where that has a reader."""
    values = dequantize(data, GGMLQuantizationType[kind]).astype(np.float32).reshape(data.shape[0], -1)
    if kind != "F32":
        other = reference_library.dequantize(data, GGMLQuantizationType[kind])
        assert np.array_equal(values, other), f"{kind}: the two references disagree"
        signs = int((np.signbit(values) != np.signbit(other)).sum())
        if signs:
            print(f"{kind}: the references differ in the sign of {signs} zeros")
    return values


def main():
    root = pathlib.Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    gaussian = np.random.default_rng(7).standard_normal((GAUSSIAN_ROWS, COLUMNS)).astype(np.float32)
    gaussian[1] *= 0.02                       # the size of real weights
    gaussian[2, ::37] *= 12                   # outliers
    gaussian[2, 64:128] = 0                   # whole blocks of zeros
    gaussian[2, 256:288] = 0.5                # constant blocks
    gaussian.tofile(root / "gaussian.values.bin")
    index = []
    for number, kind in enumerate(TYPES):
        tag = GGMLQuantizationType[kind]
        data = random_blocks(kind, np.random.default_rng(100 + number))
        values = values_of(data, kind)
        assert np.isfinite(values).all(), kind
        data.tofile(root / f"{kind}.blocks.bin")
        values.astype("<f4").tofile(root / f"{kind}.values.bin")
        block, size = GGML_QUANT_SIZES[tag]
        entry = {"type": kind, "ggml_type": int(tag), "block_elements": block, "block_bytes": size,
                 "rows": ROWS, "columns": COLUMNS, "row_bytes": data.shape[1]}
        if kind != "F32":
            packed = reference_library.quantize(gaussian, tag).reshape(GAUSSIAN_ROWS, -1)
            packed.tofile(root / f"{kind}.gaussian.blocks.bin")
            back = values_of(packed, kind)
            entry["gaussian_rmse"] = [float(f"{r:.4g}") for r in np.sqrt(((back - gaussian) ** 2).mean(axis=1))]
            try:
                same = quantize(gaussian, tag).view(np.uint8).reshape(packed.shape)
                entry["gaussian_bytes_differing_between_references"] = int((same != packed).sum())
            except NotImplementedError:
                entry["gaussian_bytes_differing_between_references"] = None
        index.append(entry)
        print(entry)
    document = {"gaussian_rows": GAUSSIAN_ROWS, "gaussian_columns": COLUMNS, "types": index}
    (root / "formats.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
