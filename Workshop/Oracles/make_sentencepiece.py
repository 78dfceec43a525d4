"""A tiny SentencePiece model as Llama's family has them (BPE with bytes), and the ids that the library gives.

    python make_sentencepiece.py ../../Tests/ApusTests/Goldens/sentencepiece
"""

import json
import pathlib
import sys

import sentencepiece

SENTENCES = [
    "the cat sat on the mat and looked at the bird", "a small bird sang in the old tree by the river",
    "one day the cat and the bird went to the river", "they saw a boat and a red fish in the water",
    "the fish said hello and the bird sang again", "in the end all of them went home to sleep",
]
TEXTS = ["the cat sat", " the cat", "the  cat ", "", "é", "Once upon a time", "line\nline", "the river</s> bird"]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 8), model_prefix=str(folder / "tokenizer"), vocab_size=340, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        character_coverage=1.0, num_threads=1, minloglevel=2,
    )
    (folder / "tokenizer.vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    cases = [
        {"text": text, "ids": processor.encode(text), "ids_with_bos": processor.encode(text, add_bos=True)}
        for text in TEXTS
    ]
    (folder / "golden.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
