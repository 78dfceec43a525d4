"""What interchange.py asks of other programs, a process each:

    interchange_peers.py measure FOLDER TEXT                   perplexity and greedy text by transformers, on the CPU in F32
    interchange_peers.py gptqmodel FOLDER OUT TEXT BITS ORDER  GPTQ by gptqmodel, ORDER natural or activation
    interchange_peers.py auto-round FOLDER OUT TEXT BITS LAYOUT  rounding to nearest by auto-round, LAYOUT auto_gptq or auto_awq

Prints one JSON object on the last line. Groups of 64; 64 rows of 512 tokens of TEXT calibrate.
"""

import json, math, os, sys, time

# gptqmodel reserves two workers and takes one of two cores by default.
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
ROWS, LENGTH, GROUP, WINDOW = 64, 512, 64, 1024
PROMPTS = ["Once upon a time", "Tom and his dog went to the park.", "One day, a little girl named Lily found a needle"]


def tokens(folder, text):
    from transformers import AutoTokenizer

    with open(text, encoding="utf-8") as file:
        return AutoTokenizer.from_pretrained(folder)(file.read(), add_special_tokens=False)["input_ids"]


def rows(folder, text):
    ids = tokens(folder, text)
    assert len(ids) >= ROWS * LENGTH, f"{text} has {len(ids)} tokens, not {ROWS * LENGTH}"
    return [ids[start : start + LENGTH] for start in range(0, ROWS * LENGTH, LENGTH)]


def measure(folder, text):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer, ids = AutoTokenizer.from_pretrained(folder), tokens(folder, text)
    total = count = 0
    with torch.no_grad():
        for start in range(0, len(ids), WINDOW):
            window = torch.tensor(ids[start : start + WINDOW])
            if len(window) < 2:
                continue
            scores = torch.log_softmax(model(window[None]).logits[0].float(), -1)
            total -= scores[torch.arange(len(window) - 1), window[1:]].sum().item()
            count += len(window) - 1
        answers = []
        for prompt in PROMPTS:
            begin = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            out = model.generate(torch.tensor([begin]), attention_mask=torch.ones(1, len(begin)), max_new_tokens=48, do_sample=False)
            new = out[0].tolist()[len(begin) :]
            answers.append({"prompt": begin, "texts": [tokenizer.decode(new[: count + 1]) for count in range(len(new))]})
    return {"perplexity": math.exp(total / count), "tokens": count, "answers": answers}


def gptqmodel(folder, out, text, bits, order):
    from gptqmodel import GPTQModel, QuantizeConfig

    config = QuantizeConfig(
        bits=int(bits), group_size=GROUP, sym=True, damp_percent=0.01, desc_act=order == "activation", act_group_aware=False
    )
    model = GPTQModel.load(folder, config)
    began = time.monotonic()
    model.quantize([{"input_ids": row, "attention_mask": [1] * LENGTH} for row in rows(folder, text)], batch_size=1)
    seconds = time.monotonic() - began
    model.save(out)
    return {"seconds": seconds}


def auto_round(folder, out, text, bits, layout):
    import torch
    from auto_round import AutoRound
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rounder = AutoRound(
        AutoModelForCausalLM.from_pretrained(folder, dtype="float32"), AutoTokenizer.from_pretrained(folder), bits=int(bits),
        group_size=GROUP, sym=layout != "auto_awq", iters=0, seqlen=LENGTH, nsamples=ROWS, batch_size=8, device_map="cpu",
        dataset=[torch.tensor([row]) for row in rows(folder, text)],
    )
    rounder.quantize_and_save(out, format=layout)
    return {}


if __name__ == "__main__":
    work = {"measure": measure, "gptqmodel": gptqmodel, "auto-round": auto_round}[sys.argv[1]]
    print(json.dumps(work(*sys.argv[2:])))
