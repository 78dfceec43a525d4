"""Writes Tests/InferenceTests/Goldens/sampling.json, what the logits processors of Hugging Face transformers make of
small random rows, and draws.json, the tokens that addressed noise draws from such rows. Needs torch and transformers. Run from the package's root: python Workshop/Sampling/goldens.py"""

import json

import torch
from transformers.generation import logits_process as lp

torch.manual_seed(20)
VOCABULARY = 40


def row(spread):
    # Multiples of 1/1024 are short in JSON and the same in every precision.
    return torch.round(torch.randn(1, VOCABULARY) * spread * 1024) / 1024


def history(length, distinct):
    return torch.randint(0, distinct, (1, length))


cases = []


def case(name, parameters, processors, spread=2.5, length=24, distinct=VOCABULARY, prompt=None, tokens=None):
    scores = row(spread)
    tokens = history(length, distinct) if tokens is None else torch.tensor([tokens])
    processed = scores.clone()
    for processor in processors:
        processed = processor(tokens, processed)
    cases.append(
        {
            "name": name,
            "parameters": parameters,
            "scores": [float(x) for x in scores[0]],
            "history": tokens[0].tolist(),
            "prompt": tokens.shape[1] // 2 if prompt is None else prompt,
            "probabilities": [float(f"{x:.8g}") for x in torch.softmax(processed[0].double(), -1)],
        }
    )


for t in (0.25, 0.7, 1.5, 8.0):
    case(f"temperature {t}", {"temperature": t}, [lp.TemperatureLogitsWarper(t)])
for k in (1, 3, 17, 40):
    case(f"top-k {k}", {"topK": k}, [lp.TopKLogitsWarper(k)])
for p in (0.01, 0.3, 0.8, 0.95, 0.999):
    case(f"top-p {p}", {"topP": p}, [lp.TopPLogitsWarper(p)])
    case(f"typical-p {p}", {"typicalP": p}, [lp.TypicalLogitsWarper(p)])
case("top-p 0.9 flat", {"topP": 0.9}, [lp.TopPLogitsWarper(0.9)], spread=0.1)
case("typical-p 0.5 flat", {"typicalP": 0.5}, [lp.TypicalLogitsWarper(0.5)], spread=0.1)
for p in (0.01, 0.1, 0.6, 1.0):
    case(f"min-p {p}", {"minP": p}, [lp.MinPLogitsWarper(p)])
for r in (0.8, 1.1, 2.0):
    case(f"repetition {r}", {"repetitionPenalty": r}, [lp.RepetitionPenaltyLogitsProcessor(r)])
for n in (1, 2, 3):
    case(f"no-repeat {n}", {"noRepeatNGram": n}, [lp.NoRepeatNGramLogitsProcessor(n)], length=60, distinct=8)
case("no-repeat 3, short history", {"noRepeatNGram": 3}, [lp.NoRepeatNGramLogitsProcessor(3)], tokens=[1])
bad = [[3], [7, 9], [1, 2, 3, 4], [2, 3, 11], [3, 3]]
for tokens in ([5, 7], [1, 2, 3], [9, 1, 2], [3]):
    case(f"bad words after {tokens}", {"badWords": bad}, [lp.NoBadWordsLogitsProcessor(bad)], tokens=tokens)
for tokens in ([4, 5, 6], [4, 5, 6, 7, 8]):
    case(
        f"min tokens after {len(tokens) - 2}",
        {"minTokens": 2, "stopTokens": [10, 12]},
        [lp.MinNewTokensLengthLogitsProcessor(2, 2, [10, 12], device="cpu")],
        tokens=tokens,
        prompt=2,
    )
case(
    "temperature, then top-k, top-p and min-p",
    {"temperature": 1.7, "topK": 20, "topP": 0.9, "minP": 0.05, "order": ["temperature", "top_k", "top_p", "min_p"]},
    [lp.TemperatureLogitsWarper(1.7), lp.TopKLogitsWarper(20), lp.TopPLogitsWarper(0.9), lp.MinPLogitsWarper(0.05)],
)
case(
    "top-k, top-p and min-p, then temperature",
    {"temperature": 1.7, "topK": 20, "topP": 0.9, "minP": 0.05, "order": ["top_k", "top_p", "min_p", "temperature"]},
    [lp.TopKLogitsWarper(20), lp.TopPLogitsWarper(0.9), lp.MinPLogitsWarper(0.05), lp.TemperatureLogitsWarper(1.7)],
)
case(
    "repetition, typical, temperature",
    {"temperature": 0.6, "typicalP": 0.7, "repetitionPenalty": 1.3},
    [lp.RepetitionPenaltyLogitsProcessor(1.3), lp.TypicalLogitsWarper(0.7), lp.TemperatureLogitsWarper(0.6)],
)



def philox(counter, key):
    """Philox4x32-10 as the paper states it."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def draw(probabilities, seed, sample, position):
    """The token at the addressed uniform number of the cumulative distribution in ascending token id."""
    words = philox([position, sample, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])
    uniform = (((words[1] << 32) | words[0]) >> 11) / 2**53
    total = 0.0
    for token, probability in enumerate(probabilities):
        total += probability
        if total > uniform:
            return token


draws = []
for seed, sample in ((1, 0), (1, 1), (0xFEDCBA9876543210, 3)):
    scores = row(2.0)
    processed = lp.TopPLogitsWarper(0.9)(None, lp.TemperatureLogitsWarper(1.5)(None, scores.double()))
    probabilities = torch.softmax(processed[0], -1).tolist()
    tokens = [draw(probabilities, seed, sample, position) for position in range(100)]
    draws.append(
        {"seed": str(seed), "sample": sample, "scores": [float(x) for x in scores[0]], "tokens": tokens}
    )

with open("Tests/InferenceTests/Goldens/draws.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(d) for d in draws) + "\n]\n")
with open("Tests/InferenceTests/Goldens/sampling.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases")
