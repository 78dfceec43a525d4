"""llama.cpp through its C interface (the package llama-cpp-python): llama_peer.py MODEL.gguf THREADS"""
import ctypes, random, statistics, sys, time

from protocol import serve


class Llama:
    def __init__(self, path, threads):
        import llama_cpp as c

        self.c, self.threads, self.path = c, threads, path
        self.quiet = c.llama_log_callback(lambda level, text, data: None)
        c.llama_log_set(self.quiet, ctypes.c_void_p())
        c.llama_backend_init()
        self.model = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self.vocabulary = c.llama_vocab_n_tokens(c.llama_model_get_vocab(self.model))
        self.random = random.Random(1)
        self.description = "llama.cpp: " + c.llama_print_system_info().decode().strip()

    def context(self, positions, sequences=1):
        c = self.c
        settings = c.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = positions * sequences, 2048, 512
        settings.n_seq_max = sequences
        settings.n_threads = settings.n_threads_batch = self.threads
        context = c.llama_init_from_model(self.model, settings)
        if not context:
            raise RuntimeError(f"llama.cpp refuses a context of {positions} positions for {sequences} sequences")
        return context

    def tokens(self, count):
        return [self.random.randrange(300, self.vocabulary) for _ in range(count)]

    def rows(self, context, rows):
        """Rows are (token, position, sequence, wants scores)."""
        c = self.c
        batch = c.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, position, 1, sequence
            batch.logits[i] = int(wanted)
        status = c.llama_decode(context, batch)
        c.llama_get_logits_ith(context, -1)
        c.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")

    def prompt(self, context, tokens, sequence=0):
        for begin in range(0, len(tokens), 2048):
            part = tokens[begin : begin + 2048]
            self.rows(context, [(t, begin + i, sequence, begin + i == len(tokens) - 1) for i, t in enumerate(part)])

    def prefill(self, tokens):
        context = self.context(tokens + 8)
        self.prompt(context, self.tokens(16))  # warms up
        self.c.llama_memory_clear(self.c.llama_get_memory(context), True)
        ids = self.tokens(tokens)
        begin = time.perf_counter()
        self.prompt(context, ids)
        seconds = time.perf_counter() - begin
        self.c.llama_free(context)
        return {"tokens_per_s": tokens / seconds}

    def decode(self, batch, context, steps):
        memory = self.context(context + steps + 8, batch)
        for sequence in range(batch):
            self.prompt(memory, self.tokens(context), sequence)
        seconds = []
        for step in range(steps + 1):
            rows = [(token, context + step, sequence, True) for sequence, token in enumerate(self.tokens(batch))]
            begin = time.perf_counter()
            self.rows(memory, rows)
            seconds.append(time.perf_counter() - begin)
        self.c.llama_free(memory)
        return {"tokens_per_s": batch / statistics.median(seconds[1:])}

    def first_token(self):
        """From an unloaded model to the scores of the first token; the process and its libraries are there already."""
        c = self.c
        begin = time.perf_counter()
        model = c.llama_model_load_from_file(self.path.encode(), c.llama_model_default_params())
        other = self.model
        self.model = model
        context = self.context(512)
        self.prompt(context, self.tokens(8))
        seconds = time.perf_counter() - begin
        c.llama_free(context)
        c.llama_model_free(model)
        self.model = other
        return {"seconds": seconds}


serve(lambda: Llama(sys.argv[1], int(sys.argv[2])))
