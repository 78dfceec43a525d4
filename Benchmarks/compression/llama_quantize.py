"""Quantizes a GGUF file with llama.cpp's own code and mixture of types, with an importance matrix.

    python llama_quantize.py BASE.gguf IMPORTANCE.npz TYPE OUT.gguf

Runs in the environment of the peer (`llama_cpp`, `numpy`); TYPE is a name such as Q2_K or Q4_K_M.
"""

import ctypes
import sys

import llama_cpp
import numpy as np

base, matrix, kind, out = sys.argv[1:]
named = np.load(matrix)
keep = []
data = (llama_cpp.llama_model_imatrix_data * (len(named.files) + 1))()
for index, name in enumerate(named.files):
    values = np.ascontiguousarray(named[name], dtype=np.float32)
    keep.append((values, name.encode()))
    data[index].name = keep[-1][1]
    data[index].data = values.ctypes.data_as(type(data[index].data))
    data[index].size = values.size
# The list ends at an entry without a name.
params = llama_cpp.llama_model_quantize_default_params()
params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
params.nthread = 2
params.imatrix = ctypes.cast(data, type(params.imatrix))
llama_cpp.llama_backend_init()
status = llama_cpp.llama_model_quantize(base.encode(), out.encode(), ctypes.byref(params))
sys.exit(status)
