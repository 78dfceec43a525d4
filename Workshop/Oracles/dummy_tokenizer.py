"""Tokenizers without meaning, so that a GGUF with a random vocabulary is a complete file."""

from gguf.constants import TokenType


def byte_characters():
    """The printable stand-ins for the 256 bytes that byte-level tokenizers use."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    stand_ins = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in stand_ins:
            stand_ins[byte] = chr(256 + byte - len([b for b in printable if b < byte]))
    return [stand_ins[byte] for byte in range(256)]


def add_tokenizer(writer, size, style, end_token):
    """`style` is `llama` (SentencePiece with bytes), `gpt2` (byte-level), or `phi3`: `gpt2` with Phi-3's first tokens."""
    writer.add_tokenizer_model("llama" if style == "llama" else "gpt2")
    if style == "llama":
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.BYTE] * 256
        tokens += [f"▁word{number}" for number in range(size - len(tokens))]
        types += [TokenType.NORMAL] * (size - len(types))
        writer.add_tokenizer_pre("default")
        writer.add_token_list(tokens[:size])
        writer.add_token_scores([-float(index) for index in range(size)])
        writer.add_token_types(types[:size])
    else:
        characters = byte_characters()
        # Letters, the space and the line feed first: small vocabularies cannot hold every byte.
        order = [10, 32, *range(97, 123), *range(33, 97), *range(123, 256), *range(0, 10), *range(11, 32)]
        first = ["<s>", "<|endoftext|>", "<unk>", "</s>"] if style == "phi3" else ["<|begin|>", "<|end|>"]
        tokens = first + [characters[byte] for byte in order] + ["th", "he"]
        tokens = tokens[:size] + [f"word{number}" for number in range(size - len(tokens))]
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(tokens)
        writer.add_token_types([TokenType.CONTROL] * len(first) + [TokenType.NORMAL] * (size - len(first)))
        writer.add_token_merges(["t h", "h e"])
    writer.add_bos_token_id(1 if style == "llama" else 0)
    writer.add_eos_token_id(end_token)
    writer.add_add_bos_token(False)
