"""Makes Goldens/encoders: what other implementations' quantizers do with the same numbers.

Needs `gguf` and `llama-cpp-python` (its libggml-base is called through ctypes). Usage: make_encoders.py LIBGGML_BASE FOLDER

- values.bin: 12 rows of 512 floats of several kinds (bell-shaped, with outliers, one-sided, tiny, constant, zero).
- importance.bin: 512 positive floats, log-normal.
- TYPE.plain.bin: the reference encoding without an importance, by `gguf.quants` (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0).
- errors.json: for each type, the squared error of llama.cpp's encoding with that importance, decoded by `gguf.quants`,
  weighted with the importance ("importance") and with importance × sqrt(mean square of the row + x²) ("emphasis").
"""

import ctypes
import json
import pathlib
import sys

import numpy
from gguf import GGMLQuantizationType, quants

library, folder = ctypes.CDLL(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
random = numpy.random.default_rng(7)
rows, inputs = 12, 512
x = random.standard_normal((rows, inputs)) * 0.02
x[2, ::37] *= 9
x[3] = numpy.abs(x[3])
x[4] = -numpy.abs(x[4]) - 0.01
x[5] *= 1e-5
x[6] = random.standard_t(3, inputs) * 0.02
x[7] = random.uniform(-0.05, 0.05, inputs)
x[8] = 0.03
x[9, 64:] = 0
x[10] *= numpy.exp(random.standard_normal(inputs))
x = x.astype(numpy.float32)
importance = numpy.exp(random.standard_normal(inputs)).astype(numpy.float32)
x.tofile(folder / "values.bin")
importance.tofile(folder / "importance.bin")

for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
    quants.quantize(x, GGMLQuantizationType[name]).tofile(folder / f"{name}.plain.bin")

errors = {}
address = lambda a: a.ctypes.data_as(ctypes.c_void_p)
for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4"]:
    kind = GGMLQuantizationType[name]
    out = numpy.zeros(quants.quant_shape_to_byte_shape(x.shape, kind), numpy.uint8)
    library.ggml_quantize_chunk(
        int(kind), address(x), address(out), ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(inputs), address(importance))
    squares = (quants.dequantize(out, kind).astype(numpy.float64) - x) ** 2
    emphasis = importance * numpy.sqrt((x.astype(numpy.float64) ** 2).mean(1, keepdims=True) + x**2)
    errors[name] = {"importance": float((importance * squares).sum()), "emphasis": float((emphasis * squares).sum())}
(folder / "errors.json").write_text(json.dumps(errors, indent=1) + "\n")
