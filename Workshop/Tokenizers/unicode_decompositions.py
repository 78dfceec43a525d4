"""Writes Sources/Text/Tokenizer/Pipeline/DecompositionData.swift from Python's Unicode Character Database.

Run from the repository's root: python Workshop/Tokenizers/unicode_decompositions.py
"""

import unicodedata

entries = []
previous = 0
for code in range(0x110000):
    if 0xAC00 <= code < 0xD7A4 or 0xD800 <= code < 0xE000:
        continue
    raw = unicodedata.decomposition(chr(code))
    if not raw:
        continue
    parts = raw.split()
    kind = "="
    if parts[0].startswith("<"):
        kind = "~"
        parts = parts[1:]
    entries.append(f"{code - previous:X}{kind}" + "+".join(f"{int(p, 16):X}" for p in parts))
    previous = code

lines, line = [], ""
for entry in entries:
    if len(line) + len(entry) + 1 > 320:
        lines.append(line)
        line = ""
    line += entry + ";"
lines.append(line)

with open("Sources/Text/Tokenizer/Pipeline/DecompositionData.swift", "w") as out:
    out.write(
        f"""/// The decomposition mappings of Unicode {unicodedata.unidata_version} (`UnicodeData.txt`, field 5), Hangul
/// syllables apart, written by Workshop/Tokenizers/unicode_decompositions.py. Each entry is the distance from the entry
/// before it, `=` for canonical or `~` for compatibility, and the scalars it becomes, all in hexadecimal.
enum DecompositionData {{
    static let entries: StaticString = \"\"\"
"""
    )
    out.write("\\\n".join("        " + line for line in lines))
    out.write('\n        """\n}\n')
