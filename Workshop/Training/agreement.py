"""How often a draft model's most likely token is that of a larger model, position by position on the same text: what
greedy speculation can hope for.

  python agreement.py ../../Models/stories-draft ../../Models/stories --stories $STORIES
"""
import argparse
import json
import os

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

import texts

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("draft")
parser.add_argument("target")
parser.add_argument("--stories", required=True)
o = parser.parse_args()
torch.set_num_threads(1)
draft, target = (LlamaForCausalLM.from_pretrained(f, dtype=torch.float32).eval() for f in (o.draft, o.target))
tokenizer = Tokenizer.from_file(os.path.join(o.target, "tokenizer.json"))
with open(os.path.join(o.target, "golden.json"), encoding="utf-8") as file:
    told = [case["ids"] + case["continuation"] for case in json.load(file)["continuations"]]
held = [tokenizer.encode(story).ids for story in texts.stories(o.stories)[-30:]]
for name, sequences in (("30 held-out stories", held), ("the target's own greedy text", told)):
    same = count = 0
    with torch.no_grad():
        for ids in sequences:
            row = torch.tensor([ids])
            same += (draft(row).logits.argmax(-1) == target(row).logits.argmax(-1)).sum().item()
            count += len(ids)
    print(f"{name}: {100 * same / count:.1f} % of {count} positions")
