"""The jobs that batch_ratio.py runs: prompts of token ids that share prefixes, in shuffled or in sorted order."""
import random


def make_job(prompts, prefixes, prefix_tokens, unique_tokens, output_tokens, vocabulary, seed=0):
    """`prompts` lists of token ids, every `prompts / prefixes` of them with a prefix in common, shuffled."""
    rng = random.Random(seed)
    low, high = prefix_tokens

    def tokens(count):
        return [rng.randrange(1000, vocabulary) for _ in range(count)]

    shared = [tokens(rng.randint(low, high)) for _ in range(prefixes)]
    job = [shared[index % prefixes] + tokens(unique_tokens) for index in range(prompts)]
    rng.shuffle(job)
    return {"prompts": job, "output_tokens": output_tokens, "prefix_tokens": sum(map(len, shared))}


JOBS = {
    # The job of the whole size, and the same scaled down in the number of prompts: a group has eight prompts in both.
    "135M": dict(prompts=512, prefixes=64, prefix_tokens=(256, 1024), unique_tokens=32, output_tokens=32),
    "135M-quarter": dict(prompts=128, prefixes=16, prefix_tokens=(256, 1024), unique_tokens=32, output_tokens=32),
    "135M-eighth": dict(prompts=64, prefixes=8, prefix_tokens=(256, 1024), unique_tokens=32, output_tokens=32),
    "1B": dict(prompts=32, prefixes=4, prefix_tokens=(256, 1024), unique_tokens=32, output_tokens=32),
    "1B-quarter": dict(prompts=8, prefixes=1, prefix_tokens=(256, 1024), unique_tokens=32, output_tokens=32),
}
