"""The C quantizers of the reference library, called directly, for formats that the Python package only reads."""

import ctypes
import pathlib

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType


def library():
    import importlib.util
    folder = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent / "lib"
    return ctypes.CDLL(str(folder / "libggml-base.so"))


class Traits(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64),
                ("size", ctypes.c_size_t), ("quantized", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
                ("from_float", ctypes.c_void_p)]


def quantize(values, kind):
    """`values`, rows × columns of float32, in `kind`: rows × bytes."""
    base = library()
    base.ggml_quantize_chunk.restype = ctypes.c_size_t
    base.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                         ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    values = np.ascontiguousarray(values, np.float32)
    rows, columns = values.shape
    block, size = GGML_QUANT_SIZES[kind]
    out = np.zeros((rows, columns // block * size), np.uint8)
    written = base.ggml_quantize_chunk(int(kind), values.ctypes.data, out.ctypes.data, 0, rows, columns, None)
    assert written == out.size, (kind, written, out.size)
    return out


def dequantize(data, kind):
    """Rows × bytes → rows × columns of float32, by the C library's own reader."""
    base = library()
    base.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
    traits = base.ggml_get_type_traits(int(kind)).contents
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    assert (traits.block, traits.size) == (block, size)
    data = np.ascontiguousarray(data)
    out = np.empty((data.shape[0], data.shape[1] // size * block), np.float32)
    traits.to_float(data.ctypes.data, out.ctypes.data, out.size)
    return out
