"""Writes a model's card, `README.md`, from its configuration, its training log, and what `evaluate.py` measured.

  python card.py ../../Models/stories-draft --log logs/stories-draft.csv
"""
import argparse
import csv
import json
import os

import texts

HERE = os.path.dirname(os.path.abspath(__file__))
ABOUT = {
    "stories-draft": "A very small teller of children's stories in English. It is made to run "
                     "ahead of `stories` in speculative decoding: both share one tokenizer.",
    "stories": "A small teller of stories in English, learnt from children's stories and easy books.",
    "sums": "Solves whole-number arithmetic and short word problems step by step: it writes numbered steps and last `answer: N`. It is "
            "made to be right only some of the time, so that sampling and search have something to win.",
    "sums-prm": "A process reward model for `sums`: it says after each step how likely it is that all steps so far are right. "
                "The network of `sums` with two more blocks reads the question and the solution as `sums` writes them; after each newline's token, and after "
                "the <|end|> of the solution, the score is the softmax over two logits, those of the tokens that `apus_step_reward` in `config.json` "
                "names `good` and `bad`. Its other logits mean nothing.",
    "chat": "`stories`, tuned to follow the chat template: system, user and assistant turns. It is there to exercise conversations, stop "
            "tokens and the server, not to be wise.",
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
    "sums": """- It knows only the sentences of its generator; a question put otherwise is answered by something that looks like a solution.
- Numbers above those of the generator's levels (terms to 600, results to 1,999) it has never seen, nor negative ones.
- Frequent mistakes: a carry forgotten when hundreds are passed, the wrong operand in nested brackets, an operation left out in
  questions of four and five operations, quotients whose tens are guessed.
- Its only subject is arithmetic; it has forgotten the stories it began from.""",
    "sums-prm": """- It has learnt the mistakes of one model and of one way to spoil solutions; on solutions in another form its score means nothing.
- It recognises that something went wrong rather than where: up to a solution's first mistake the area is far lower than over
  all places, because what follows a mistake is easily told from what does not.
- It is no generator: as a language model it says nothing of use.""",
    "chat": """- It follows the forms of its training conversations and little else; what lies outside is answered by the nearest of them.
- It knows only the facts in `dialogues.py` and the names there; it cannot add nor count (see above).
- Its stories are those of a very small model: grammatical, and forgetful after a few sentences.
- System messages other than a name, one-word answers and a fixed ending have no effect.""",
}
HISTORY = {
    "stories-draft": "Trained in two stretches: 1.5 M tokens (windows of 512, 2,048 tokens a step, the mixture 50 % stories, "
                     "40 % restored, 10 % children's books), then on from there at the full rate (0.25 M tokens with 40 %, "
                     "40 %, 20 %, after that 4,096 tokens a step and the mixture below) to the end, where the rate falls to zero over the last quarter of the time.",
    "stories": "Grown from `stories-draft` as that stood after 4.8 M tokens, before its rate fell: every width was doubled "
               "such that the function stayed the same (`Workshop/Training/grow.py`), then trained on with the mixture "
               "below, 4,096 tokens a step, windows of 512, at the end 1,024; the rate falls linearly to zero over the second "
               "half of the time. The tokens counted here are those after the growth.",
    "sums": "First a quarter of its size (`sums-narrow`, begun from `stories-draft`) learnt 2.7 M tokens of problems of an earlier "
            "form and 3.8 M tokens of these (`logs/sums-narrow.csv`); then every width was doubled (`grow.py`) and "
            "it learnt the tokens counted here, 4,096 a step, whole conversations, the rate falling to zero over the second half of the time. For the first "
            "55 % of that time only the 21 tokens that occur in solutions competed in the softmax, then all 4,096 (the step in the curve).",
    "sums-prm": "Begun from `sums` with two more blocks upon its four, the identity at first. 2,700 samples of `sums` (three times each) and 7,000 "
                "solutions, a quarter of them right and the others with one mistake put in; in right steps the words are learnt beside the labels, "
                "so the loss is that of both. The spoilt solutions were labelled by an earlier, slightly more lenient checker.",
    "chat": "Begun from `stories` as it stood after 1.9 M tokens.",
}
def mixture(mix):
    sources = {
        "stories": "TinyStories, an extract of 2 MB (2,200 stories of its 2,316; CDLA-Sharing-1.0)",
        "restored": "TinyStories, 2,714 further stories from an extract in lower case, their case restored by rule",
        "children": f"{len(texts.names(texts.CHILDREN))} public-domain books for children",
        "plain": f"{len(texts.names(texts.PLAIN))} public-domain books in plain prose",
    }
    return ["| share of the windows | source |", "|---|---|"] + [
        f"| {100 * share / sum(mix.values()):.0f} % | {sources[group]} |" for group, share in mix.items()] + [
        "", "The books are named in `Workshop/Training/texts.py`, which also says how the texts were normalised (straight quotes, `--` "
        "for dashes, one empty line between paragraphs)."]


MIX = {"stories": 3.5, "restored": 3.5, "children": 2, "plain": 1}
DATA = {
    "stories-draft": mixture(MIX), "stories": mixture(MIX),
    "sums": ["Arithmetic problems and their solutions step by step, all generated by `apus eval problems --split train`: 135,000 (levels 1 to 6: "
             "8,000, 12,000, 25,000, 30,000, 30,000, 30,000). Learnt and test problems are told apart by a hash of the question. Only the solutions are learnt."],
    "sums-prm": ["Solutions labelled step by step by `apus eval label`: samples of `sums` at temperature 1 for problems it had "
                 "not learnt from, and reference solutions with one mistake put in (`Workshop/Training/steps.py`)."],
    "chat": ["60,000 conversations made by `Workshop/Training/dialogues.py` (seed 1): greetings, names given and asked for again, facts about "
             "animals, colours and days, counting, small sums, questions about something just told, sentences said back, things that "
             "the model cannot know; with and without a system message that changes the answers. The stories told in them are the "
             "beginnings of stories of TinyStories that `stories` learnt from too (CDLA-Sharing-1.0). Only the assistant's words are learnt."],
}


def quote(prompt, text):
    lines = f"**{prompt.replace('|', chr(92) + '|')}**{text}".replace("<|", "&lt;\\|").split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def percent(share):
    return f"{100 * share:.1f} %"


def answers(name, figures):
    """What the model was measured by, beside perplexity."""
    if name == "sums":
        out = ["## Problems solved", "", "Test problems of the generator (`apus eval problems --split test`, seed 1), none of them among those "
               "learnt from. One greedy solution each; in brackets the 95 % interval.", "", "| level | problems | right |", "|---|---|---|"]
        for level, f in sorted(figures["greedy"].items()):
            if level != "all":
                low, high = f["interval"]
                out.append(f"| {level} | {f['problems']} | {percent(f['accuracy'])} ({100 * low:.1f}-{100 * high:.1f}) |")
        out += ["", "Sixteen samples each at temperature 0.8:", "", "| level | problems | one sample | most frequent answer | "
                "any of 16 |", "|---|---|---|---|---|"]
        for level, f in sorted(figures["sampled"].items()):
            out.append(f"| {'4-6' if level == 'all' else level} | {f['problems']} | {percent(f['accuracy'])} | "
                       f"{percent(f['majority_at_16'])} | {percent(f['pass_at_16'])} |")
        return out + ["", "Apus itself, `apus eval sums --model builtin:sums` (levels 4-6, seed 0): 52.4 % of 500 greedily (48.0-56.7); of 60, with "
                      "`--samples 16 --temperature 0.8`, one sample 47.3 %, most frequent answer 58.3 %, any of 16 76.7 %.", ""]
    if name == "sums-prm":
        f = figures["steps"]
        return ["## Right steps against wrong ones", "", f"{f['solutions']:,} solutions that `sums` sampled for held-out problems (levels "
                f"3-6, temperature 1), labelled by `apus eval label`: {f['places']:,} places, {percent(f['right'])} of them right. Area "
                "under the curve (the share of pairs of a right and a wrong place in which the right one has the higher score):", "",
                "| places | area |", "|---|---|", f"| all | {f['area']:.4f} |",
                f"| up to each solution's first mistake | {f['area_up_to_first_mistake']:.4f} |",
                f"| last lines only | {f['area_last_line']:.4f} |", ""]
    if name == "chat":
        out = ["## Answers", "", "Generated conversations kept apart; every answer that has only one right form is asked for greedily, after the "
               "conversation as written up to there. Exact match:", "", "| kind | answers | exact |", "|---|---|---|"]
        return out + [f"| {kind} | {f['answers']:,} | {percent(f['exact'])} |" for kind, f in figures["answers"].items()] + [""]
    return []


def examples(figures):
    out = ["## Examples", ""]
    if "examples" in figures:
        out += ["The score after each line, and where the checker finds the first mistake.", ""]
        for x in figures["examples"][:4]:
            question, solution = x["text"].split("<|assistant|>")
            out += [question.split("<|user|>")[1].removesuffix("<|end|>"), "", "```"]
            for line, score, mark in zip(solution.removesuffix("<|end|>").split("\n"), x["scores"], x["right"]):
                out.append(f"{score:.3f}  {line}{'' if mark else '    (wrong from here)'}")
                if not mark:
                    break
            out += ["```", ""]
        return out
    out += ["The prompt is in bold. Not chosen: the first drawn.", ""]
    for sample in figures["samples"]:
        out += ["Greedy:", "", quote(sample["prompt"], sample["greedy"]), "", "Sampled, temperature 0.8, top-p 0.95:", "",
                quote(sample["prompt"], sample["sampled"]), ""]
    return out


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
    sizes = {f: os.path.getsize(os.path.join(o.model, f)) for f in os.listdir(o.model)}
    resource = os.path.join(HERE, "..", "..", "Sources", "Apus", "Resources", f"{name}.gguf")
    builtin = (f" `builtin:{name}` is this model in Q8_0: `Sources/Apus/Resources/{name}.gguf`, {os.path.getsize(resource):,} bytes."
               if os.path.exists(resource) else "")
    out = [f"# {name}", "", ABOUT[name] + builtin, "",
           f"Llama architecture, {figures['parameters']:,} parameters: {c['num_hidden_layers']} layers, width "
           f"{c['hidden_size']}, feed-forward {c['intermediate_size']}, {c['num_attention_heads']} heads over "
           f"{c['num_key_value_heads']} key-value heads of {c['head_dim']}, vocabulary {c['vocab_size']:,}, context "
           f"{c['max_position_embeddings']:,}, tied embeddings.", "",
           "| file | bytes | what |", "|---|---|---|",
           f"| `model.safetensors` | {sizes['model.safetensors']:,} | BF16 weights, Hugging Face's layout |",
           "| `golden.json` | | what `transformers` computes in float32 on these weights, for the tests |",
           "| `figures.json` | | the figures and samples below |", "", "## Data", ""] + DATA[name]
    out += ["", "## Training", "",
            f"{int(last['step']):,} steps, {int(last['tokens']):,} tokens, {float(last['minutes']):.0f} minutes of two CPU cores "
            f"that other work shared. {HISTORY[name]} Muon for the matrices, Adam for embeddings and norms. "
            f"Training loss over the last full report: {float(rows[-2]['loss']):.3f} nats a token. The log is `Workshop/Training/{o.log}`.", "",
            "![loss](loss.svg)", ""]
    if "held_out" in figures:
        out += ["## Held-out text", "", "None of it was learnt from. Definition: `Workshop/Training/evaluate.py`.", "",
                "| text | tokens | perplexity | bits a byte |", "|---|---|---|---|"]
        for title, f in figures["held_out"].items():
            bits = f"{f['bits_per_byte']:.3f}" if "bits_per_byte" in f else ""
            out.append(f"| {title} | {f['tokens']:,} | {f['perplexity']:.{2 if f['perplexity'] > 2 else 4}f} | {bits} |")
        if name != "sums":
            out.append(f"| `Workshop/Training/goldens/passage.txt` (ours) | | {figures['passage_perplexity']:.2f} | |")
        out.append("")
    out += answers(name, figures) + examples(figures) + ["## Weaknesses", "", WEAK[name], "", "## Licence", "", "Same as the repository."]
    with open(os.path.join(o.model, "README.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
