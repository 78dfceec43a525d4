"""A GGUF with random weights in Q4_0 or Q8_0, in the shape of a published model: random_gguf.py {135M,1B} {Q4_0,Q8_0} OUT.gguf

Blocks get random codes and scales of the usual size directly, which is quick and gives hidden states of a sound size.
"""
import math
import pathlib
import sys

import numpy as np
from gguf import GGUFWriter
from gguf.constants import GGMLQuantizationType as Type

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Workshop/Oracles"))
from dummy_tokenizer import add_tokenizer  # noqa: E402

# width, inner width, layers, heads, heads of the cache, vocabulary: SmolLM2-135M and Llama-3.2-1B
SHAPES = {"135M": (576, 1536, 30, 9, 3, 49152), "1B": (2048, 8192, 16, 32, 8, 128256)}
# Bytes of codes in a block of 32, and the deviation of a code.
FORMATS = {"Q4_0": (Type.Q4_0, 16, 4.6), "Q8_0": (Type.Q8_0, 32, 73.9)}


def main(shape, kind, path):
    width, inner, layers, heads, kept, vocabulary = SHAPES[shape]
    quant, code_bytes, spread = FORMATS[kind]
    rng = np.random.default_rng(1)
    writer = GGUFWriter(path, "llama")
    writer.add_name(f"random-{shape}")
    for add, value in [
        (writer.add_block_count, layers), (writer.add_context_length, 8192), (writer.add_embedding_length, width),
        (writer.add_feed_forward_length, inner), (writer.add_head_count, heads), (writer.add_head_count_kv, kept),
        (writer.add_vocab_size, vocabulary), (writer.add_layer_norm_rms_eps, 1e-5), (writer.add_rope_freq_base, 100000.0),
        (writer.add_rope_dimension_count, width // heads),
    ]:
        add(value)
    add_tokenizer(writer, vocabulary, "gpt2", 1)

    def matrix(name, rows, columns, deviation):
        blocks = np.empty((rows, columns // 32, 2 + code_bytes), np.uint8)
        blocks[..., :2] = np.frombuffer(np.float16(deviation / spread).tobytes(), np.uint8)
        blocks[..., 2:] = rng.integers(0, 256, (rows, columns // 32, code_bytes), np.uint8)
        writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=quant)

    def vector(name, count):
        writer.add_tensor(name, (1 + 0.1 * rng.standard_normal(count)).astype(np.float32))

    matrix("token_embd.weight", vocabulary, width, 2 / math.sqrt(width))
    vector("output_norm.weight", width)
    head = width // heads
    for layer in range(layers):
        block = f"blk.{layer}."
        vector(block + "attn_norm.weight", width)
        vector(block + "ffn_norm.weight", width)
        matrix(block + "attn_q.weight", width, width, 1.2 / math.sqrt(width))
        matrix(block + "attn_k.weight", kept * head, width, 1.2 / math.sqrt(width))
        matrix(block + "attn_v.weight", kept * head, width, 1 / math.sqrt(width))
        matrix(block + "attn_output.weight", width, width, 0.4 / math.sqrt(width))
        matrix(block + "ffn_gate.weight", inner, width, 1 / math.sqrt(width))
        matrix(block + "ffn_up.weight", inner, width, 1 / math.sqrt(width))
        matrix(block + "ffn_down.weight", width, inner, 0.4 / math.sqrt(inner))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
