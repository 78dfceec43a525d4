"""Writes a model's card, `README.md`, from its configuration, its training log, and what `evaluate.py` measured.

  python card.py ../../Models/stories-draft --log logs/stories-draft.csv
"""
import argparse
import csv
import json
import os

import texts

ABOUT = {
    "stories-draft": "A very small teller of children's stories in English. It is made to run "
                     "ahead of `stories` in speculative decoding: both share one tokenizer.",
    "stories": "A small teller of stories in English, learnt from children's stories and easy books.",
}
WEAK = {
    "stories-draft": """- It writes grammatical sentences and forgets quickly who is who: names and pronouns change within a paragraph, and
  greedy decoding falls into repetition after a few sentences.
- It knows nothing about the world, answers no questions, and follows no instructions.
- It learnt almost only very simple stories; on ordinary prose it is weak (see the held-out books).""",
    "stories": """- It is under-trained: 2.9 M tokens after 4.8 M in its narrower form, about 2 tokens a parameter, where 20 are usual. It keeps
  a simple children's story together for about a paragraph; after that names and objects are exchanged, a person talks to
  himself, and greedy decoding repeats itself.
- On ordinary prose it has the tone and not the sense (perplexity above 70 on the held-out books).
- Windows of 1,024 were seen only in the last tenth of its training.
- It knows nothing about the world, answers no questions, and follows no instructions.
- Its books are from the nineteenth and early twentieth century, and so are their manners and prejudices.""",
}
HISTORY = {
    "stories-draft": "Trained in two stretches: 1.5 M tokens (windows of 512, 2,048 tokens a step, the mixture 50 % stories, "
                     "40 % restored, 10 % children's books), then on from there at the full rate (0.25 M tokens with 40 %, "
                     "40 %, 20 %, after that 4,096 tokens a step and the mixture below) to the end, where the rate falls to zero over the last quarter of the time.",
    "stories": "Grown from `stories-draft` as that stood after 4.8 M tokens, before its rate fell: every width was doubled "
               "such that the function stayed the same (`Workshop/Training/grow.py`), then trained on with the mixture "
               "below, 4,096 tokens a step, windows of 512, at the end 1,024; the rate falls linearly to zero over the second "
               "half of the time. The tokens counted here are those after the growth.",
}
MIX = {"stories-draft": "stories:3.5,restored:3.5,children:2,plain:1", "stories": "stories:3.5,restored:3.5,children:2,plain:1"}
GROUPS = {
    "stories": "TinyStories, an extract of 2 MB (2,200 stories of its 2,316; CDLA-Sharing-1.0)",
    "restored": "TinyStories, 2,714 further stories from an extract in lower case, their case restored by rule",
    "children": f"{len(texts.names(texts.CHILDREN))} public-domain books for children",
    "plain": f"{len(texts.names(texts.PLAIN))} public-domain books in plain prose",
}


def quote(prompt, text):
    lines = f"**{prompt.replace('|', chr(92) + '|')}**{text}".replace("<|", "&lt;\\|").split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--log", required=True)
    o = parser.parse_args()
    name = os.path.basename(os.path.normpath(o.model))
    with open(os.path.join(o.model, "config.json")) as file:
        c = json.load(file)
    with open(os.path.join(o.model, "figures.json")) as file:
        figures = json.load(file)
    with open(o.log) as file:
        rows = list(csv.DictReader(file))
    last = rows[-1]
    weights = {part.split(":")[0]: float(part.split(":")[1]) for part in MIX[name].split(",")}
    total = sum(weights.values())
    sizes = {f: os.path.getsize(os.path.join(o.model, f)) for f in os.listdir(o.model)}
    gguf = f"{name}-q8_0.gguf"
    out = [f"# {name}", "", ABOUT[name], "",
           f"Llama architecture, {figures['parameters']:,} parameters: {c['num_hidden_layers']} layers, width "
           f"{c['hidden_size']}, feed-forward {c['intermediate_size']}, {c['num_attention_heads']} heads over "
           f"{c['num_key_value_heads']} key-value heads of {c['head_dim']}, vocabulary {c['vocab_size']:,}, context "
           f"{c['max_position_embeddings']:,}, tied embeddings.", "",
           "| file | bytes | what |", "|---|---|---|",
           f"| `model.safetensors` | {sizes['model.safetensors']:,} | BF16 weights, Hugging Face's layout |",
           f"| `{gguf}` | {sizes[gguf]:,} | the same weights in Q8_0, with the tokenizer |" if gguf in sizes else None,
           "| `golden.json` | | greedy continuations and a perplexity computed by `transformers` in float32 |",
           "| `figures.json` | | the figures and samples below |", "", "## Data", "",
           "| share of the windows | source |", "|---|---|"]
    out += [f"| {100 * w / total:.0f} % | {GROUPS[g]} |" for g, w in weights.items()]
    out += ["", "The books are named in `Workshop/Training/texts.py`, which also says how the texts were normalised (straight "
            "quotes, `--` for dashes, one empty line between paragraphs).", "", "## Training", "",
            f"{int(last['step']):,} steps, {int(last['tokens']):,} tokens, {float(last['minutes']):.0f} minutes of two CPU cores "
            f"that other work shared. {HISTORY[name]} Muon for the matrices, Adam for embeddings and norms. "
            f"Training loss over the last full report: {float(rows[-2]['loss']):.3f} nats a token. The log is `Workshop/Training/{o.log}`.", "",
            "![loss](loss.svg)", "", "## Held-out text", "",
            "None of it was learnt from. Definition: `Workshop/Training/evaluate.py`.", "",
            "| text | tokens | perplexity | bits a byte |", "|---|---|---|---|"]
    for title, f in figures["held_out"].items():
        out.append(f"| {title} | {f['tokens']:,} | {f['perplexity']:.2f} | {f['bits_per_byte']:.3f} |")
    out += [f"| `Workshop/Training/goldens/passage.txt` (ours) | | {figures['passage_perplexity']:.2f} | |", "",
            "## Examples", "", "The prompt is in bold. Not chosen: the first drawn.", ""]
    for sample in figures["samples"]:
        out += ["Greedy:", "", quote(sample["prompt"], sample["greedy"]), "", "Sampled, temperature 0.8, top-p 0.95:", "",
                quote(sample["prompt"], sample["sampled"]), ""]
    out += ["## Weaknesses", "", WEAK[name], "", "## Licence", "", "Same as the repository."]
    with open(os.path.join(o.model, "README.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(line for line in out if line is not None) + "\n")


if __name__ == "__main__":
    main()
