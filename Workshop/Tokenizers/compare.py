"""Compares a tokenizer of Apus with the Python library it must equal, on whole files of text and on random Unicode.

    python Workshop/Tokenizers/compare.py <driver> json <tokenizer.json> <text file>...
    python Workshop/Tokenizers/compare.py <driver> sp <tokenizer.model> <text file>...

The driver is any program that takes `kind tokenizer texts output` and encodes each text of a file of texts (a 32-bit
little-endian length, then bytes) with special tokens parsed for `json` and not for `sp`, writing for each a 32-bit count
and that many 32-bit ids. Prints counts of texts, ids and mismatches, and the first mismatch.
"""

import random
import struct
import subprocess
import sys
import tempfile
import unicodedata


def random_texts(seed=1, count=1500):
    rng = random.Random(seed)
    assigned = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Co", "Cs")]
    pools = [
        range(32, 127), [9, 10, 13, 32, 0xA0, 0x2028, 0x85, 0x3000, 0x200B, 0x200D, 0xFEFF, 0xB, 0xC], range(0x300, 0x370),
        range(0x4E00, 0x4F00), range(0xAC00, 0xAD00), range(0x1F300, 0x1F650), range(0x600, 0x700), range(0x900, 0x980),
        [ord(c) for c in "''sStTrReEvVmMlLdD "] + [0x17F, 0x212A], [*range(0x30, 0x3A), 0x661, 0xB2, 0x2160], assigned,
        [0x2581, 32, 0x5F], range(0xC0, 0x250), range(0xF900, 0xFB10), [13, 10], range(0xFF00, 0xFFEF),
    ]
    texts = []
    for _ in range(count):
        scalars = []
        for _ in range(rng.randint(1, 12)):
            pool = rng.choice(pools)
            if rng.random() < 0.1:
                scalars += [rng.choice(pool)] * rng.randint(1, 70)
            else:
                scalars += [rng.choice(pool) for _ in range(rng.choice([1, 1, 2, 3, 5, 20]))]
        texts.append("".join(map(chr, scalars)))
    return texts


def main():
    driver, kind, path, *files = sys.argv[1:]
    texts = random_texts()
    for name in files:
        text = open(name, encoding="utf-8", errors="replace", newline="").read()
        texts += [text[i : i + 100_000] for i in range(0, len(text), 100_000)]
    if kind == "json":
        import tokenizers

        tokenizer = tokenizers.Tokenizer.from_file(path)
        expected = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    else:
        import sentencepiece

        expected = sentencepiece.SentencePieceProcessor(model_file=path).encode(texts)
    with tempfile.NamedTemporaryFile() as source, tempfile.NamedTemporaryFile() as target:
        for text in texts:
            data = text.encode()
            source.write(struct.pack("<I", len(data)) + data)
        source.flush()
        subprocess.run([driver, kind, path, source.name, target.name], check=True)
        output = open(target.name, "rb").read()
    position, mismatched, first = 0, 0, None
    for text, wanted in zip(texts, expected):
        (count,) = struct.unpack_from("<I", output, position)
        found = list(struct.unpack_from(f"<{count}i", output, position + 4))
        position += 4 + 4 * count
        if found != wanted:
            mismatched += 1
            first = first or (text[:200], wanted[:50], found[:50])
    print(f"{len(texts)} texts, {sum(map(len, expected))} ids, {mismatched} texts mismatched")
    if first:
        print("text", repr(first[0]), "\nwanted", first[1], "\nfound", first[2])
    sys.exit(mismatched != 0)


main()
