"""Writes Tests/TextTests/Goldens/tokenizers/: tiny tokenizers of every family, trained here on text generated here, with
texts and the ids and decoded text that the Python libraries `tokenizers`, `sentencepiece` and `tiktoken` give.

Run from the repository's root: python Workshop/Tokenizers/goldens.py
"""

import base64
import json
import os
import random
import unicodedata

import sentencepiece
import tiktoken
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = "Tests/TextTests/Goldens/tokenizers/"
os.makedirs(OUT, exist_ok=True)
rng = random.Random(20)

# A language of our own: words of syllables, in several scripts, with numbers, code and punctuation.
SYLLABLES = ["ba", "re", "mi", "to", "lun", "ser", "ka", "vi", "do", "ne", "sha", "ing", "ed", "tion", "qu", "or", "an", "the"]
WORDS = ["".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 3))) for _ in range(220)]
EXTRA = ["don't", "I'll", "we've", "naïve", "Ärger", "São", "и", "слово", "дела", "λόγος", "你好", "世界", "日本語", "한국어", "नमस्ते",
         "مرحبا", "😀", "👩🏽‍🚀", "x = 1", "def f(x):", "    return", "3.14", "1234567", "2026", "a_b", "--", "…", "¡hola!"]


def sentence(n):
    words = []
    for _ in range(n):
        w = rng.choice(WORDS) if rng.random() < 0.85 else rng.choice(EXTRA)
        if rng.random() < 0.15:
            w = w.capitalize()
        words.append(w + rng.choice(["", "", "", "", ",", ".", "!", "?", ";"]))
    return " ".join(words)


CORPUS = [sentence(rng.randint(4, 14)) for _ in range(900)]
ASSIGNED = [c for c in range(0x80, 0x11000) if unicodedata.category(chr(c)) not in ("Cn", "Co", "Cs")]


def texts():
    r = random.Random(7)
    out = ["", " ", "  ", "\n", "a", "Ba re mi", " leading", "trailing ", "two  spaces   three", "tab\there", "line\nbreak\r\n\r\nend\n",
           "don't DON'T I'LL we'Ve 's 'ſ it''s", "1 12 123 1234 12345 1234567 ٣٤٥ Ⅻ ²", "naïve naïve Ä Ä ﬁ Å", "한국어 한국어",
           "你好世界。日本語、テスト！", "नमस्ते দুনিয়া ทดสอบ", "мир и дело λόγος", "👩🏽‍🚀😀🇩🇪 ok", "x = f(a_b, 3.14) # ok\n    return -1",
           "<s>mi</s> <unk> [CLS] re [SEP] <extra> <mask>to", "ba<extra>re  <extra>  mi", "▁under▁score _", "zero\u200bwidth\u200d\ufeffjoin",
           "İstanbul ẞ ΑΣ ς", "a\u00a0b\u2003c\u3000d\u2028e\u0085f", "$5 + €6 = 11£ ^~`|", "..?!.. (re) [mi] {to} \"ka\" 'vi'",
           "ｆｕｌｌ ｗｉｄｔｈ １２３ ①②", "a" * 60, " " * 70 + "x", "\n" * 20, "ne\u0301e\u0301\u0327 \u0327\u0301", "Q\u0000R\u0001S\ufffdT", "x\n  y\n\n\n   z  \n "]
    out += [sentence(r.randint(1, 25)) for _ in range(25)]
    for _ in range(45):
        s = ""
        for _ in range(r.randint(1, 8)):
            k = r.randint(0, 4)
            if k == 0:
                s += "".join(chr(r.choice(ASSIGNED)) for _ in range(r.randint(1, 4)))
            elif k == 1:
                s += r.choice([" ", "  ", "\n", "\r\n", "\t", "\u3000"]) * r.randint(1, 3)
            elif k == 2:
                s += r.choice(WORDS + EXTRA)
            elif k == 3:
                s += str(r.randint(0, 10 ** r.randint(1, 9)))
            else:
                s += "".join(r.choice("'.,!?-_#@ sStTmMdD") for _ in range(r.randint(1, 5)))
        out.append(s)
    return out


TEXTS = texts()
json.dump(TEXTS, open(OUT + "texts.json", "w"), ensure_ascii=True)


def expected(encode, decode):
    ids = [encode(t) for t in TEXTS]
    return {"ids": ids, "decoded": [decode(i) for i in ids]}


def write(name, data):
    with open(OUT + name + ".expected.json", "w") as f:
        json.dump(data, f, ensure_ascii=True, separators=(",", ":"))


def compact(path):
    data = json.load(open(path))
    json.dump(data, open(path, "w"), ensure_ascii=False, separators=(",", ":"))


def save(name, tk, added=True):
    if added:
        tk.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
        tk.add_tokens([AddedToken("<extra>", rstrip=True, normalized=False), AddedToken("lun", single_word=True, normalized=True)])
    tk.save(OUT + name + ".json", pretty=False)
    compact(OUT + name + ".json")
    data = expected(lambda t: tk.encode(t, add_special_tokens=False).ids, lambda i: tk.decode(i, skip_special_tokens=False))
    data["withSpecial"] = [tk.encode(t).ids for t in TEXTS[:40]]
    data["skipped"] = [tk.decode(i) for i in data["withSpecial"]]
    tk.encode_special_tokens = True
    data["plain"] = [tk.encode(t, add_special_tokens=False).ids for t in TEXTS[:40]]
    write(name, data)


SPECIAL = ["<unk>", "<s>", "</s>"]
GPT2_ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def bpe(normalizer, pre, post=None, decoder=None, size=420, byte=True, **model):
    tk = Tokenizer(models.BPE(**model))
    if normalizer:
        tk.normalizer = normalizer
    if pre:
        tk.pre_tokenizer = pre
    special = [AddedToken(s, special=True, normalized=False) for s in SPECIAL]
    kwargs = {}
    if model.get("end_of_word_suffix"):
        kwargs["end_of_word_suffix"] = model["end_of_word_suffix"]
    if model.get("continuing_subword_prefix"):
        kwargs["continuing_subword_prefix"] = model["continuing_subword_prefix"]
    tk.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=GPT2_ALPHABET if byte else [], show_progress=False,
        limit_alphabet=1000 if byte and size != 330 else 120, **kwargs))
    if post:
        tk.post_processor = post
    if decoder:
        tk.decoder = decoder
    return tk


def rebuilt(tk, **changes):
    """The tokenizer again, with some members of its model changed: what training does not set."""
    data = json.loads(tk.to_str())
    data["model"].update(changes)
    return Tokenizer.from_str(json.dumps(data))


BL = pre_tokenizers.ByteLevel
TEMPLATE = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
C = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
W = r"[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PATTERNS = {
    "llama3": [C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?" + W],
    "qwen2": [C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?" + W],
    "qwen35": [C + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "o200k": [rf"[^\r\n\p{{L}}\p{{N}}]?{UP}*{LOW}+{C}?|[^\r\n\p{{L}}\p{{N}}]?{UP}+{LOW}*{C}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "deepseek3": [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                  r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""],
    "bloom": [" ?[^(\\s|.,!?…。，、।۔،)]+"],
    "superbpe": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
    "tinyaya": [r"\d{1,3}(?=(?:\d{3})*\b)", C + r"|\p{L}+|\s+"],
    "possessive": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"],
    "exaone": [C + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"],
    "anchors": [r"\s+$", r"(?<=[a-z])(?=[A-Z])", r"\bre\b|^mi", r"[[:punct:]]", r"x{2,3}?|o*?n"],
}

save("bytelevel-gpt2", bpe(None, BL(add_prefix_space=False), processors.ByteLevel(), decoders.ByteLevel()))
save("bytelevel-prefix", bpe(normalizers.NFC(), BL(add_prefix_space=True), processors.Sequence([processors.ByteLevel(), TEMPLATE]), decoders.ByteLevel()))
for name, patterns in PATTERNS.items():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated") for p in patterns] + [BL(add_prefix_space=False, use_regex=False)])
    save("split-" + name, rebuilt(bpe(None, pre, TEMPLATE, decoders.ByteLevel(), size=420 + 40 * (name == "llama3")), ignore_merges=name == "llama3"))
# The byte-level step in the middle, where what follows sees its characters.
save("bytelevel-falcon", bpe(None, pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"), BL(add_prefix_space=False), pre_tokenizers.Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), None, decoders.ByteLevel(), size=420))
save("bytelevel-digits", bpe(None, pre_tokenizers.Sequence([pre_tokenizers.Digits(True), BL(add_prefix_space=False)]), None, decoders.ByteLevel(), size=420))
# With fewer bytes in its vocabulary than there are: the others give no ids.
save("bytelevel-normalizer", bpe(normalizers.Sequence([normalizers.NFD(), normalizers.ByteLevel()]), None, None, decoders.ByteLevel(), size=330))

SP_DECODER = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])


def with_bytes(tk, **changes):
    data = json.loads(tk.to_str())
    vocab = data["model"]["vocab"]
    for b in range(256):
        vocab.setdefault(f"<0x{b:02X}>", len(vocab))
    data["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>", **changes)
    return Tokenizer.from_str(json.dumps(data))


save("spm-prepend", with_bytes(bpe(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, TEMPLATE, SP_DECODER, byte=False, size=400)))
for scheme in ("always", "first", "never"):
    save("metaspace-" + scheme, rebuilt(bpe(None, pre_tokenizers.Metaspace(prepend_scheme=scheme, split=scheme != "first"), TEMPLATE, decoders.Metaspace(prepend_scheme=scheme), byte=False, size=300, unk_token="<unk>", fuse_unk=scheme == "always")))
save("bpe-suffix", bpe(normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit(), processors.RobertaProcessing(("</s>", 2), ("<s>", 1)), decoders.BPEDecoder("</w>"), byte=False, size=330, unk_token="<unk>", end_of_word_suffix="</w>"))
save("bpe-prefix", bpe(normalizers.NFKC(), pre_tokenizers.Whitespace(), None, decoders.WordPiece("##"), byte=False, size=330, unk_token="<unk>", continuing_subword_prefix="##"))


def unigram(normalizer, pre, decoder, **kwargs):
    tk = Tokenizer(models.Unigram())
    tk.normalizer, tk.pre_tokenizer, tk.decoder = normalizer, pre, decoder
    tk.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False, **kwargs))
    tk.post_processor = TEMPLATE
    return tk


save("unigram", unigram(normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]), pre_tokenizers.Metaspace(), decoders.Metaspace()))


def wordpiece(normalizer, pre=None):
    tk = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tk.normalizer = normalizer
    tk.pre_tokenizer = pre or pre_tokenizers.BertPreTokenizer()
    tk.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=320, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False, limit_alphabet=120))
    tk.decoder = decoders.WordPiece()
    tk.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tk


save("bert-uncased", wordpiece(normalizers.BertNormalizer()))
save("bert-cased", wordpiece(normalizers.BertNormalizer(lowercase=False)))
save("bert-accents", wordpiece(normalizers.BertNormalizer(strip_accents=True, lowercase=False, handle_chinese_chars=False)))

level = Tokenizer(models.WordLevel(unk_token="<unk>"))
level.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKD(), normalizers.StripAccents()])
level.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.Digits(False)])
level.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False))
save("wordlevel", level)

# Every behavior of Split, both ways round, over single characters so that the pieces show.
behaviors = []
for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
    for invert in (False, True):
        for pattern in (r"\s+", r"\p{P}", "re", r"(?=[A-Z])"):
            pre = pre_tokenizers.Split(Regex(pattern), behavior, invert)
            rows = [[t, [p for p, _ in pre.pre_tokenize_str(t)]] for t in TEXTS[3:30]]
            behaviors.append({"behavior": behavior, "invert": invert, "pattern": pattern, "rows": rows[:: 2]})
with open(OUT + "behaviors.json", "w") as f:
    json.dump(behaviors, f, ensure_ascii=True, separators=(",", ":"))

# The four normalization forms of Python's own database.
forms = {form: [unicodedata.normalize(form.upper(), t) for t in TEXTS] for form in ("nfc", "nfd", "nfkc", "nfkd")}
with open(OUT + "forms.json", "w") as f:
    json.dump(forms, f, ensure_ascii=True, separators=(",", ":"))

# SentencePiece. The library's own character maps are large; a small one of our own has every kind of entry: one to
# one, one to many, many to one, to space and to nothing.
RULES = {"\t": " ", "\n": " ", "\r": " ", "\u3000": " ", "\u00a0": " ", "\u200b": "", "\ufb01": "fi", "A\u030a": "\u00c5", "e\u0301": "\u00e9",
         "e\u0301\u0327": "\u0229\u0301", "\u00c4": "A\u0308", "\u2460": "1", "\u2461": "2", "\u00b2": "2", "\u216b": "XII", "\u0130": "i\u0307",
         "\u1e9e": "ss", "\u0327": ""}
RULES |= {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
RULES_FILE = OUT + "rules.tsv"
with open(RULES_FILE, "w") as f:
    for source, target in RULES.items():
        f.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")

for name, options in {
    "bpe-fallback": dict(model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False, normalization_rule_name="identity", user_defined_symbols=["<extra>", "re mi", "▁▁"]),
    "bpe-nfkc": dict(model_type="bpe", normalization_rule_tsv=RULES_FILE, add_dummy_prefix=False),
    "unigram-nfkc": dict(model_type="unigram", normalization_rule_tsv=RULES_FILE, user_defined_symbols=["<extra>", "lun"]),
    "unigram-fallback": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    "unigram-suffix": dict(model_type="unigram", treat_whitespace_as_suffix=True, normalization_rule_tsv=RULES_FILE),
    "char": dict(model_type="char", normalization_rule_name="identity"),
}.items():
    path = OUT + "sp-" + name
    size = 120 if name == "char" else 520 if "fallback" in name else 300
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_prefix=path, vocab_size=size, character_coverage=0.98,
                                             hard_vocab_limit=False, minloglevel=2, **options)
    os.remove(path + ".vocab")
    model = proto.ModelProto()
    model.ParseFromString(open(path + ".model", "rb").read())
    model.trainer_spec.ClearField("input")
    open(path + ".model", "wb").write(model.SerializeToString())
    sp = sentencepiece.SentencePieceProcessor(model_file=path + ".model")
    write("sp-" + name, expected(sp.encode, sp.decode))

os.remove(RULES_FILE)

# tiktoken: ranks of a byte-level vocabulary, in its order of merging.
source = json.loads(open(OUT + "split-llama3.json").read())
table, extra = {}, 0
for b in range(256):
    if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or 0xAE <= b:
        table[chr(b)] = b
    else:
        table[chr(256 + extra)] = b
        extra += 1
ranks = {bytes([b]): b for b in range(256)}
for merge in source["model"]["merges"]:
    left, right = merge if isinstance(merge, list) else merge.split(" ")
    ranks.setdefault(bytes(table[c] for c in left + right), len(ranks))
with open(OUT + "ranks.tiktoken", "w") as f:
    for token, rank in ranks.items():
        f.write(f"{base64.b64encode(token).decode()} {rank}\n")
CL100K = r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
open(OUT + "ranks.pattern", "w").write(CL100K)
enc = tiktoken.Encoding("ranks", pat_str=CL100K, mergeable_ranks=ranks, special_tokens={"<|end|>": len(ranks)})
write("ranks", expected(enc.encode_ordinary, enc.decode))
