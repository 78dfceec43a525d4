"""OpenVINO GenAI's continuous batching on a folder that openvino_model.py made: openvino_peer.py FOLDER THREADS"""
import math, random, statistics, sys, time

from protocol import serve

ROWS = 4096  # of a step: a prompt goes through whole


class OpenVINO:
    def __init__(self, folder, threads):
        import numpy, openvino, openvino_genai as genai

        self.numpy, self.openvino, self.genai = numpy, openvino, genai
        self.folder, self.threads = folder, threads
        self.pipeline = self.load()
        self.random = random.Random(1)
        self.vocabulary = int(open(folder + "/vocabulary").read())
        self.next = 0
        self.description = f"OpenVINO GenAI {genai.__version__}, continuous batching, cache in 8 bits (its default)"

    def load(self):
        settings = self.genai.SchedulerConfig()
        settings.cache_size, settings.max_num_batched_tokens, settings.max_num_seqs = 2, ROWS, 64
        settings.dynamic_split_fuse, settings.enable_prefix_caching = True, False
        tokenizer = self.genai.Tokenizer(self.folder)
        return self.genai.ContinuousBatchingPipeline(
            self.folder, tokenizer, settings, "CPU", INFERENCE_NUM_THREADS=self.threads
        )

    def steps(self, pipeline, batch, prompt, generate):
        """Seconds of every step from submission to the end."""
        settings = self.genai.GenerationConfig()
        settings.max_new_tokens, settings.ignore_eos, settings.do_sample, settings.eos_token_id = generate, True, False, 0
        handles = []
        for _ in range(batch):
            ids = [[self.random.randrange(300, self.vocabulary) for _ in range(prompt)]]
            tensor = self.openvino.Tensor(self.numpy.array(ids, dtype=self.numpy.int64))
            handles.append(pipeline.add_request(self.next, tensor, settings))
            self.next += 1
        seconds = []
        while pipeline.has_non_finished_requests():
            begin = time.perf_counter()
            pipeline.step()
            seconds.append(time.perf_counter() - begin)
        return seconds

    def prefill(self, tokens):
        self.steps(self.pipeline, 1, 16, 2)
        seconds = self.steps(self.pipeline, 1, tokens, 2)
        return {"tokens_per_s": tokens / sum(seconds[: math.ceil(tokens / ROWS)])}

    def decode(self, batch, context, steps):
        first = math.ceil(batch * context / (ROWS - batch)) + 2
        seconds = self.steps(self.pipeline, batch, context, steps + first)
        return {"tokens_per_s": batch / statistics.median(seconds[first : first + steps - 1])}

    def first_token(self):
        begin = time.perf_counter()
        self.steps(self.load(), 1, 8, 1)
        return {"seconds": time.perf_counter() - begin}


serve(lambda: OpenVINO(sys.argv[1], int(sys.argv[2])))
