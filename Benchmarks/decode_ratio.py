"""Decode and prefill rate of Apus against llama.cpp, in one run, on random weights of the 135M shape.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install numpy gguf llama-cpp-python
    swift build -c release
    /tmp/peers/bin/python Benchmarks/decode_ratio.py [--format q8_0] [--threads 2] [--rounds 5]

The two run in turn, round by round, so that a change in the machine's mood meets both; the medians and their ratio are printed.
Weights are random: only speed is measured.
"""
import argparse, ctypes, json, math, os, statistics, subprocess, sys, tempfile, time

import numpy as np
from gguf import GGUFWriter
from gguf.constants import GGMLQuantizationType
from gguf import quants

WIDTH, INNER, LAYERS, HEADS, CACHE_HEADS, VOCABULARY = 576, 1536, 30, 9, 3, 49152
CONTEXT = 8192


def byte_alphabet():
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = {b: chr(b) for b in printable}
    extra = 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    return [table[b] for b in range(256)]


def write_model(path, kind):
    rng = np.random.default_rng(1)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(CACHE_HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    tokens = byte_alphabet()
    tokens += ["zz"] + [f"word{i}" for i in range(VOCABULARY - len(tokens) - 1)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * VOCABULARY)
    writer.add_token_merges(["z z"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    def matrix(name, rows, columns, deviation):
        values = rng.standard_normal((rows, columns), np.float32) * np.float32(deviation)
        writer.add_tensor(name, quants.quantize(values, kind), raw_dtype=kind)

    def vector(name, count):
        writer.add_tensor(name, (1 + 0.1 * rng.standard_normal(count)).astype(np.float32))

    matrix("token_embd.weight", VOCABULARY, WIDTH, 2 / math.sqrt(WIDTH))
    vector("output_norm.weight", WIDTH)
    cache_width = WIDTH // HEADS * CACHE_HEADS
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        vector(block + "attn_norm.weight", WIDTH)
        vector(block + "ffn_norm.weight", WIDTH)
        matrix(block + "attn_q.weight", WIDTH, WIDTH, 1.2 / math.sqrt(WIDTH))
        matrix(block + "attn_k.weight", cache_width, WIDTH, 1.2 / math.sqrt(WIDTH))
        matrix(block + "attn_v.weight", cache_width, WIDTH, 1 / math.sqrt(WIDTH))
        matrix(block + "attn_output.weight", WIDTH, WIDTH, 0.4 / math.sqrt(WIDTH))
        matrix(block + "ffn_gate.weight", INNER, WIDTH, 1 / math.sqrt(WIDTH))
        matrix(block + "ffn_up.weight", INNER, WIDTH, 1 / math.sqrt(WIDTH))
        matrix(block + "ffn_down.weight", WIDTH, INNER, 0.4 / math.sqrt(INNER))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Llama:
    def __init__(self, path, threads, context):
        import llama_cpp as c

        self.c = c
        self.quiet = c.llama_log_callback(lambda level, text, data: None)
        c.llama_log_set(self.quiet, ctypes.c_void_p())
        c.llama_backend_init()
        self.model = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
        settings = c.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = context, 512, 512
        settings.n_threads = settings.n_threads_batch = threads
        self.context = c.llama_init_from_model(self.model, settings)
        self.rows([1, 2, 3], 0)

    def rows(self, tokens, start):
        c = self.c
        batch = c.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, start + i, 1, 0
            batch.logits[i] = int(i == len(tokens) - 1)
        if c.llama_decode(self.context, batch) != 0:
            sys.exit("llama.cpp refused a batch")
        c.llama_get_logits_ith(self.context, -1)
        c.llama_batch_free(batch)

    def measure(self, prompt, generate):
        c = self.c
        c.llama_memory_clear(c.llama_get_memory(self.context), True)
        begin = time.perf_counter()
        self.rows(prompt, 0)
        middle = time.perf_counter()
        for i in range(generate):
            self.rows([1000 + i], len(prompt) + i)
        end = time.perf_counter()
        return len(prompt) / (middle - begin), generate / (end - middle)


def measure_apus(binary, model, text, threads, generate):
    command = [binary, "run", model, text, "--max-tokens", str(generate + 1), "--temperature", "0", "--ignore-eos",
               "--threads", str(threads), "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    timings = answer["timings"]
    return len(answer["prompt_ids"]) / timings["prompt_seconds"], generate / timings["generation_seconds"]


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--apus", default=".build/release/apus")
    options.add_argument("--format", default="q8_0", choices=["q8_0", "q4_0", "f16"])
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--prompt", type=int, default=256)
    options.add_argument("--generate", type=int, default=64)
    options.add_argument("--rounds", type=int, default=5)
    o = options.parse_args()
    kind = {"q8_0": GGMLQuantizationType.Q8_0, "q4_0": GGMLQuantizationType.Q4_0, "f16": GGMLQuantizationType.F16}[o.format]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"random-135m-{o.format}.gguf")
        write_model(path, kind)
        llama = Llama(path, o.threads, o.prompt + o.generate + 64)
        # Bytes that no merge joins: one token each.
        text = "".join(chr(97 + i % 26) for i in range(o.prompt))
        rows = []
        for number in range(o.rounds):
            theirs = llama.measure([97 + i % 26 for i in range(o.prompt)], o.generate)
            ours = measure_apus(o.apus, path, text, o.threads, o.generate)
            rows.append((ours, theirs))
            print(f"round {number + 1}: prefill {ours[0]:.0f} against {theirs[0]:.0f}, decode {ours[1]:.1f} against {theirs[1]:.1f} tokens/s", flush=True)
    for index, name in ((0, "prefill"), (1, "decode")):
        ours = statistics.median(r[0][index] for r in rows)
        theirs = statistics.median(r[1][index] for r in rows)
        ratio = statistics.median(r[0][index] / r[1][index] for r in rows)
        print(f"{name} {o.format}, {o.threads} threads: Apus {ours:.1f}, llama.cpp {theirs:.1f} tokens/s, ratio {ratio:.2f} (median of {o.rounds} rounds)")


if __name__ == "__main__":
    main()
