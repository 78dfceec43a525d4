"""A job through llama.cpp as its server would run it: batch_llama.py MODEL.gguf JOB [slots=16] [threads=2]

The Python package carries the library and not the server, so the server's loop is written out here over the library's batches, as
tools/server does it by default with 16 slots: a new request takes the slot whose tokens have the longest prefix in common with it where
that is at least a tenth of the prompt, else the one used longest ago; what the slot holds is saved to host memory before it is
overwritten, and the saved state with the longest prefix in common with the request is loaded where it is longer than the slot's own
(the server's prompt cache of 8 GB); tokens in common are kept, the rest is removed. Each pass of 2,048 tokens at most has one token of
each slot that generates, then the prompts of the others. The cache is unified and F16, flash attention is on, micro-batches have 512
tokens. Greedy sampling takes the largest logit, without the server's text handling, HTTP or JSON, which would only add time.
"""
import ctypes
import json
import sys
import time

import llama_cpp as c
import numpy as np

from batch_job import JOBS, make_job


class Slot:
    def __init__(self, index):
        self.index, self.tokens, self.request, self.last_used = index, [], None, 0
        self.generated, self.done, self.output_row = [], 0, -1


def common(first, second):
    count = 0
    for a, b in zip(first, second):
        if a != b:
            break
        count += 1
    return count


class Server:
    def __init__(self, path, slots, threads, context):
        c.llama_backend_init()
        self.model = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
        settings = c.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch, settings.n_seq_max = context, 2048, 512, slots
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = True
        settings.flash_attn_type = 1
        self.context = c.llama_init_from_model(self.model, settings)
        self.memory = c.llama_get_memory(self.context)
        self.vocabulary = c.llama_vocab_n_tokens(c.llama_model_get_vocab(self.model))
        self.slots = [Slot(index) for index in range(slots)]
        self.saved, self.saved_bytes = [], 0
        self.batch = c.llama_batch_init(2048, 0, 1)
        self.clock = self.prefilled = self.generated = 0

    def assign(self, request):
        """The server's choice of a slot, and what its caches bring."""
        free = [slot for slot in self.slots if slot.request is None]
        best = max(free, key=lambda slot: common(slot.tokens, request["prompt"]))
        if common(best.tokens, request["prompt"]) < 0.1 * len(request["prompt"]):
            best = min(free, key=lambda slot: slot.last_used)
        kept = common(best.tokens, request["prompt"])
        if best.tokens and kept < len(best.tokens) / 2:
            self.save(best)
        found = max(self.saved, key=lambda entry: common(entry[0], request["prompt"]), default=None)
        if found and common(found[0], request["prompt"]) > kept:
            self.saved.remove(found)
            self.saved_bytes -= len(found[1])
            c.llama_memory_seq_rm(self.memory, best.index, -1, -1)
            assert c.llama_state_seq_set_data(self.context, found[1], len(found[1]), best.index) > 0
            best.tokens = list(found[0])
            kept = common(best.tokens, request["prompt"])
        # The last token is always computed: its scores are wanted.
        kept = min(kept, len(request["prompt"]) - 1)
        c.llama_memory_seq_rm(self.memory, best.index, kept, -1)
        best.tokens = best.tokens[:kept]
        best.request, best.generated = request, []
        self.clock += 1
        best.last_used = self.clock

    def save(self, slot):
        size = c.llama_state_seq_get_size(self.context, slot.index)
        state = (ctypes.c_uint8 * size)()
        assert c.llama_state_seq_get_data(self.context, state, size, slot.index) == size
        self.saved.append((slot.tokens, state))
        self.saved_bytes += size
        while self.saved_bytes > 8 << 30:
            self.saved_bytes -= len(self.saved.pop(0)[1])

    def add(self, slot, token, wants):
        batch, row = self.batch, self.batch.n_tokens
        batch.token[row], batch.pos[row] = token, len(slot.tokens)
        batch.n_seq_id[row], batch.seq_id[row][0], batch.logits[row] = 1, slot.index, wants
        batch.n_tokens += 1
        slot.tokens.append(token)
        return row

    def step(self):
        """One pass. Returns the requests that got a token, and those of them that are finished."""
        batch = self.batch
        batch.n_tokens = 0
        wanted = []
        for slot in self.slots:
            if slot.request is not None and slot.generated:
                wanted.append((slot, self.add(slot, slot.generated[-1], 1)))
        for slot in self.slots:
            if slot.request is None or slot.generated:
                continue
            prompt = slot.request["prompt"]
            while len(slot.tokens) < len(prompt) and batch.n_tokens < 2048:
                is_last = len(slot.tokens) == len(prompt) - 1
                row = self.add(slot, prompt[len(slot.tokens)], int(is_last))
                self.prefilled += 1
                if is_last:
                    wanted.append((slot, row))
        assert c.llama_decode(self.context, batch) == 0
        advanced, finished = [], []
        for slot, row in wanted:
            scores = np.ctypeslib.as_array(c.llama_get_logits_ith(self.context, row), shape=(self.vocabulary,))
            slot.generated.append(int(scores.argmax()))
            self.generated += 1
            advanced.append(slot.request)
            if len(slot.generated) == slot.request["output"]:
                finished.append(slot.request)
                slot.request = None
        return advanced, finished

    def take(self, waiting):
        """Gives free slots to those that wait, in order."""
        while waiting and any(slot.request is None for slot in self.slots):
            self.assign(waiting.pop(0))

    def run(self, prompts, output_tokens):
        waiting = [{"prompt": prompt, "output": output_tokens} for prompt in prompts]
        done = 0
        while done < len(prompts):
            self.take(waiting)
            done += len(self.step()[1])


def silence():
    """llama.cpp's log goes nowhere. The result must be kept."""
    quiet = c.llama_log_callback(lambda level, text, data: None)
    c.llama_log_set(quiet, ctypes.c_void_p())
    return quiet


def main(path, job, slots=16, threads=2):
    quiet = silence()  # noqa: F841
    start = time.perf_counter()
    longest = JOBS[job]["prefix_tokens"][1] + JOBS[job]["unique_tokens"] + JOBS[job]["output_tokens"]
    server = Server(path, slots, threads, slots * -(-longest // 256) * 256)
    job = make_job(vocabulary=server.vocabulary, **JOBS[job])
    server.run(job["prompts"], job["output_tokens"])
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "prefilled_tokens": server.prefilled, "generated_tokens": server.generated}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
