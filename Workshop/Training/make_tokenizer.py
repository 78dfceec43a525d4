"""Trains the family's tokenizer: byte-level BPE of 4,096 tokens, every digit a token of its own.

The split is "each digit alone, then GPT-2's pattern", which llama.cpp knows as the pre-tokenizer `smollm`, so that the
same split can be named exactly in a GGUF file.
"""
import argparse
import json
import os

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import texts

SIZE = 4096
SPECIAL = ["<|bos|>", "<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|mask|>",
           "<|prefix|>", "<|suffix|>", "<|middle|>"] + [f"<|reserved_{i}|>" for i in range(5)]

# One turn: the role's token, the text, <|end|>. The chat and arithmetic models learn this form.
CHAT_TEMPLATE = ("{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] | trim"
                 " + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def split():
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])


def train(documents):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=SPECIAL, min_frequency=2, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", tokenizer.token_to_id("<|bos|>"))])
    return tokenizer


def arithmetic(path):
    """Problems with their solutions, as the models meet them."""
    with open(path, encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    return ["\n".join([p["question"], *p["steps"], f"answer: {p['answer']}"]) for p in problems]


def save(tokenizer, folder, context, chat=False):
    """tokenizer.json and tokenizer_config.json as Hugging Face lays them out."""
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context, "add_bos_token": True,
              "add_eos_token": False, "bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|pad|>",
              "clean_up_tokenization_spaces": False}
    if chat:
        config["chat_template"] = CHAT_TEMPLATE
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", required=True)
    parser.add_argument("--stories", required=True)
    parser.add_argument("--sums", required=True, help="lines of `apus eval problems -n 4000 --split train`")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    learn, measure = texts.corpus(options.books, options.stories)
    # Stories twice: they are what the models mostly tell; books once; arithmetic so that its few words are whole.
    mix = learn["stories"] * 2 + learn["children"] + learn["plain"] + arithmetic(options.sums)
    tokenizer = train(mix)
    save(tokenizer, options.out, context=1024)
    assert tokenizer.get_vocab_size() == SIZE
    assert len(tokenizer.encode("1024", add_special_tokens=False).ids) == 4
    for name, documents in measure.items():
        encoded = tokenizer.encode_batch(documents, add_special_tokens=False)
        for document, encoding in zip(documents, encoded):
            assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == document
        size = sum(len(document.encode()) for document in documents)
        print(f"{name}: {size / sum(len(e.ids) for e in encoded):.3f} bytes a token")
