"""Does a second engine read the converted files as we think? Compares llama.cpp with the goldens.

    python check_gguf.py FOLDER [name …]

F32 files must agree to rounding. For other types llama.cpp also rounds the activations (to F16, BF16 or blocks of
Q8), so its distance from the goldens tells how much that costs, not whether a file is right.
"""

import ctypes
import json
import pathlib
import sys

import llama_cpp as c
import numpy as np


def silence(level, text, data):
    if level >= 4 and b"embedding" not in text:
        sys.stderr.write(text.decode(errors="replace"))


QUIET = c.llama_log_callback(silence)


def open_model(path, length):
    parameters = c.llama_model_default_params()
    parameters.use_mmap = False
    model = c.llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        raise SystemExit(f"{path}: not loaded")
    settings = c.llama_context_default_params()
    settings.n_ctx = length
    settings.n_batch = settings.n_ubatch = length
    settings.n_threads = settings.n_threads_batch = 1
    settings.type_k = settings.type_v = 0  # F32
    settings.flash_attn_type = 0
    context = c.llama_init_from_model(model, settings)
    return model, context


def logits(context, tokens, vocabulary):
    c.llama_memory_clear(c.llama_get_memory(context), True)
    batch = c.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index], batch.pos[index] = token, index
        batch.n_seq_id[index], batch.seq_id[index][0], batch.logits[index] = 1, 0, 1
    assert c.llama_decode(context, batch) == 0
    rows = np.array([np.ctypeslib.as_array(c.llama_get_logits_ith(context, i), (vocabulary,)).copy()
                     for i in range(len(tokens))])
    c.llama_batch_free(batch)
    return rows


def check(path):
    golden = json.loads(path.with_suffix(".golden.json").read_text())
    vocabulary = golden["vocab_size"]
    expected = np.fromfile(path.with_suffix(".logits.bin"), "<f4")
    differences, agree, total = [], 0, 0
    for case in golden["cases"]:
        whole = case["prompt"] + case["greedy"]
        # A rotation that depends on length is chosen by the context's size, so the context is no longer than needed.
        model, context = open_model(path, len(whole))
        rows = logits(context, whole, vocabulary)
        count = len(case["positions"])
        want = expected[case["offset"]:case["offset"] + count * vocabulary].reshape(count, vocabulary)
        differences.append((rows[case["positions"]] - want).ravel())
        start = len(case["prompt"]) - 1
        agree += int((rows[start:-1].argmax(axis=1) == case["greedy"]).sum())
        total += len(case["greedy"])
        c.llama_free(context)
        c.llama_model_free(model)
    difference = np.concatenate(differences)
    print(f"{path.stem:32} difference: largest {np.abs(difference).max():.1e} rms {difference.std():.1e}   greedy tokens equal {agree}/{total}", flush=True)


def main():
    c.llama_log_set(QUIET, ctypes.c_void_p())
    c.llama_backend_init()
    wanted = set(sys.argv[2:])
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.gguf")):
        if not wanted or path.stem in wanted:
            check(path)


if __name__ == "__main__":
    main()
