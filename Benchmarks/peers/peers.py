"""Apus beside llama.cpp and OpenVINO GenAI: the same shape and bit-width, the same machine, turn and turn about in one run.

    swift build -c release
    python3 Benchmarks/peers/peers.py --environment /tmp/peers --shape llama-135m --format q8_0

The first run makes a Python environment in the folder given and installs the peers there; models with random weights, made by
`apus bench --shape`, lie in it too. Each round measures everything with each engine in turn; the table gives medians over the rounds
and the median of the rounds' ratios. Only speed is measured: the weights are random.
"""
import argparse, json, os, platform, shutil, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA = "llama-cpp-python==0.3.36"
OPENVINO = ["openvino-genai==2026.4.1.0", "openvino-tokenizers==2026.4.1.0", "nncf==3.4.0", "transformers", "tokenizers"]
# llama.cpp as a machine with AVX2 and no AVX-512 would build it.
NO_AVX512 = "-DGGML_NATIVE=OFF -DGGML_AVX512=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON"
LIMITS = ("read_gbps", "fma_gflops", "int8_gops")
# Limits below this share of the best that were seen: somebody else uses the machine. A figure is then taken again, up to three
# times, and left out of the table where there are better ones.
DISTURBED = 0.85
# The bits of a format, where OpenVINO has an equal.
BITS = {"q8_0": 8, "q4_0": 4, "q4_k": 4, "iq4_nl": 4}


def note(text):
    print(text, file=sys.stderr, flush=True)


def run(command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        sys.exit(f"{' '.join(command[:4])} … failed ({done.returncode}): {lines[-1]}")
    return done.stdout


class Environment:
    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)

    def python(self, name, packages, flags=None):
        """A virtual environment with packages; it is made once. `flags` build the package from its source."""
        folder = f"{self.folder}/{name}"
        python, mark = folder + "/bin/python", folder + "/complete"
        if os.path.exists(mark):
            return python
        note(f"installing {' '.join(packages)} into {folder}")
        run([sys.executable, "-m", "venv", folder])
        variables = dict(os.environ)
        install = [python, "-m", "pip", "install", "--quiet"]
        if flags:
            variables["CMAKE_ARGS"] = flags
            install += ["--no-cache-dir", "--no-binary", packages[0].split("==")[0]]
        run(install + packages, env=variables)
        open(mark, "w").close()
        return python

    def model(self, apus, shape, kind):
        path = f"{self.folder}/random-{shape}-{kind}.gguf"
        if not os.path.exists(path):
            note(f"making {path}")
            run([apus, "bench", "--shape", shape, "--format", kind, "--keep", self.folder, "--prompt", "0", "--generate", "0"])
        return path

    def openvino_model(self, apus, python, shape, bits):
        folder = f"{self.folder}/openvino-{shape}-int{bits}"
        if not os.path.exists(folder):
            source = self.model(apus, shape, "f16")
            note(f"making {folder}")
            run([python, f"{HERE}/openvino_model.py", source, str(bits), folder])
        return folder


class Apus:
    """A process for each measurement, as limits are measured around each."""

    def __init__(self, binary, path, threads, table, cache_type):
        self.base = [binary, "bench", path, "--threads", str(threads), "--json"]
        self.base += ["--table", table] if table else []
        self.base += ["--cache-type", cache_type] if cache_type else []
        self.binary, self.path, self.threads, self.table = binary, path, threads, table
        self.description = "Apus"
        self.limits = []

    def bench(self, *arguments):
        """Measures, and notes the lower of the limits before and after."""
        answer = json.loads(run(self.base + list(arguments)))
        ends = [answer["limits"], answer.get("limits_end", answer["limits"])]
        self.limits.append({name: min(end[name] for end in ends) for name in LIMITS})
        return answer

    def prefill(self, tokens):
        row = self.bench("--prompt", str(tokens), "--generate", "0", "--repeats", "1")["prefill"][0]
        return {"tokens_per_s": row["tokens_per_s"], "share": row["share_of_peak"], "of": "peak"}

    def decode(self, batch, context, steps):
        row = self.bench("--prompt", "0", "--generate", str(steps), "--batch", str(batch), "--context", str(context))["decode"][0]
        nearer = "read" if row["share_of_read"] > row["share_of_peak"] else "peak"
        return {"tokens_per_s": row["tokens_per_s"], "share": row["share_of_" + nearer], "of": nearer}

    def first_token(self):
        """The whole command, from the start of its process to its end, with weights as an earlier start has laid them out."""
        command = [self.binary, "run", self.path, "word", "--max-tokens", "1", "--temperature", "0", "--context", "512"]
        command += ["--threads", str(self.threads)] + (["--kernels", self.table] if self.table else [])
        command.append("--repack-cache")
        if not os.path.exists(self.path + ".panels"):
            run(command)
        begin = time.perf_counter()
        run(command)
        return {"seconds": time.perf_counter() - begin}

    def close(self):
        pass


class Peer:
    def __init__(self, python, script, path, threads):
        command = [python, f"{HERE}/{script}", path, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.description = self.answer()["ready"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[1]} ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            sys.exit(f"{self.process.args[1]}: {answer['error']}")
        return answer

    def ask(self, what, **arguments):
        self.process.stdin.write(json.dumps({"do": what} | arguments) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def prefill(self, tokens):
        return self.ask("prefill", tokens=tokens)

    def decode(self, batch, context, steps):
        return self.ask("decode", batch=batch, context=context, steps=steps)

    def first_token(self):
        return self.ask("first_token")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def numbers(text):
    return [int(part) for part in text.split(",") if part]


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--environment", required=True, help="folder for the peers and the models; made if missing")
    parser.add_argument("--apus", default=".build/release/apus")
    parser.add_argument("--shape", default="llama-135m", help="as apus bench --shape takes it")
    parser.add_argument("--format", default="q8_0", help="of Apus and llama.cpp; OpenVINO gets as many bits")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tries", type=int, default=3, help="at most, for a figure during which the machine's limits fell")
    parser.add_argument("--prompt", type=numbers, default=[512], help="lengths of prompts; 4096 for a long context")
    parser.add_argument("--batch", type=numbers, default=[1, 4, 16, 64])
    parser.add_argument("--context", type=int, default=16, help="tokens of each sequence before decode is measured")
    parser.add_argument("--steps", type=int, default=24, help="steps of decode")
    parser.add_argument("--long", type=int, default=0, help="also decode one sequence at this many tokens")
    parser.add_argument("--first-token", action="store_true", help="also the time from nothing to the first token")
    parser.add_argument("--cache-type", default=None, help="of Apus: f32 (its default), f16, bf16; llama.cpp has f16, OpenVINO 8 bits")
    parser.add_argument("--peers", default="llama,openvino", help="some of llama, openvino, llama-avx2")
    parser.add_argument("--table", default=None, help="kernel table of Apus, for example avx2")
    parser.add_argument("--python", default=None, help="take this Python, which has the packages, for all peers")
    parser.add_argument("--results", default=None, help="a file to add every figure to; the table is over all in it")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(o, engines, title):
    tasks = [(f"prefill {n}", "prefill", {"tokens": n}) for n in o.prompt]
    tasks += [(f"decode {b} at {o.context}", "decode", {"batch": b, "context": o.context, "steps": o.steps}) for b in o.batch]
    if o.long:
        tasks.append((f"decode 1 at {o.long}", "decode", {"batch": 1, "context": o.long, "steps": o.steps}))
    if o.first_token:
        tasks.append(("first token, s", "first_token", {}))
    engines["apus"].bench("--prompt", "0", "--generate", "0")  # the limits to begin with
    rounds = []
    for number in range(o.rounds):
        # Every other round backwards, so that no engine always follows the same one.
        order = list(engines) if number % 2 == 0 else list(reversed(engines))
        for name, method, arguments in tasks:
            for _ in range(o.tries):
                answers = {engine: getattr(engines[engine], method)(**arguments) for engine in order}
                limits = engines["apus"].limits[-1]
                if not disturbed(limits, engines["apus"].limits):
                    break
            one = {engine: answers[engine] for engine in engines} | {"limits": limits}
            rounds.append({"title": title, "figures": {name: one}})
            if o.results:
                with open(o.results, "a") as file:
                    file.write(json.dumps(rounds[-1]) + "\n")
            figures = ", ".join(f"{engine} {figure(value):.4g}" for engine, value in answers.items())
            note(f"round {number + 1}: {name}: {figures}")
    return rounds


def disturbed(limits, others):
    return any(limits[name] < DISTURBED * max(other[name] for other in others) for name in LIMITS)


def figure(value):
    return value["tokens_per_s"] if "tokens_per_s" in value else value["seconds"]


def table(rounds):
    """Rows of name, medians by engine, median ratios by peer, Apus's share of its nearer limit."""
    rows = []
    names = dict.fromkeys(name for one in rounds for name in one["figures"])
    for name in names:
        found = [one["figures"][name] for one in rounds if name in one["figures"]]
        every = [one["limits"] for other in rounds for one in other["figures"].values()]
        calm = [one for one in found if not disturbed(one["limits"], every)]
        row = {"what": name, "rounds": len(calm or found), "disturbed": len(found) - len(calm)}
        row |= {"median": {}, "ratio": {}, "spread": {}}
        found = calm or found
        engines = list(dict.fromkeys(engine for one in found for engine in one if engine != "limits"))
        for engine in engines:
            values = [figure(one[engine]) for one in found if engine in one]
            row["median"][engine] = statistics.median(values)
            row["spread"][engine] = (max(values) - min(values)) / statistics.median(values)
            pairs = [(figure(one["apus"]), figure(one[engine])) for one in found if engine in one and "apus" in one]
            if engine != "apus" and pairs:
                # Larger is better for Apus, in seconds too.
                faster = [theirs / ours if "token, s" in name else ours / theirs for ours, theirs in pairs]
                row["ratio"][engine] = statistics.median(faster)
        shares = [one["apus"]["share"] for one in found if "share" in one.get("apus", {})]
        if shares:
            row["share"] = {"of": found[0]["apus"]["of"], "median": statistics.median(shares)}
        rows.append(row)
    return rows


def write(title, descriptions, rows):
    print(title)
    for name, text in descriptions.items():
        print(f"- {name}: {text}")
    engines = list(rows[0]["median"])
    print("\n| tokens/s | " + " | ".join(engines) + " | " + " | ".join(f"× {e}" for e in engines if e != "apus") + " | Apus's share | rounds |")
    print("|---" * (2 * len(engines) + 2) + "|")
    for row in rows:
        cells = [row["what"]] + [f"{row['median'][e]:.4g} ±{50 * row['spread'][e]:.0f} %" for e in engines]
        cells += [f"{row['ratio'][e]:.2f}" for e in engines if e in row["ratio"]]
        cells.append(f"{100 * row['share']['median']:.0f} % of {row['share']['of']}" if "share" in row else "")
        cells.append(f"{row['rounds']}" + (f" (and {row['disturbed']} disturbed)" if row["disturbed"] else ""))
        print("| " + " | ".join(cells) + " |")


def main():
    o = options()
    environment = Environment(o.environment)
    binary = os.path.abspath(o.apus)
    if not os.access(binary, os.X_OK):
        sys.exit(f"there is no program {o.apus}; build it with 'swift build -c release', or name it with --apus")
    path = environment.model(binary, o.shape, o.format)
    engines = {"apus": Apus(binary, path, o.threads, o.table, o.cache_type)}
    for name in o.peers.split(","):
        if name == "llama":
            python = o.python or environment.python("llama", [LLAMA])
            engines[name] = Peer(python, "llama_peer.py", path, o.threads)
        elif name == "llama-avx2":
            python = environment.python("llama-avx2", [LLAMA], NO_AVX512)
            engines[name] = Peer(python, "llama_peer.py", path, o.threads)
        elif name == "openvino":
            if o.format not in BITS:
                sys.exit(f"OpenVINO has no equal of {o.format}; it has one of {', '.join(BITS)}")
            python = o.python or environment.python("openvino", OPENVINO)
            folder = environment.openvino_model(binary, python, o.shape, BITS[o.format])
            engines[name] = Peer(python, "openvino_peer.py", folder, o.threads)
        else:
            sys.exit(f"there is no peer {name}; choose some of llama, openvino, llama-avx2")
    title = f"{o.shape}, {o.format}, {o.threads} threads{', ' + o.table if o.table else ''}, {time.strftime('%Y-%m-%d')}, {processor()}"
    rounds = measure(o, engines, title)
    for engine in engines.values():
        engine.close()
    if o.results:
        with open(o.results) as file:
            rounds = [one for one in map(json.loads, file) if one["title"] == title]
    rows = table(rounds)
    descriptions = {name: engine.description for name, engine in engines.items()}
    limits = {name: statistics.median(one["limits"][name] for r in rounds for one in r["figures"].values()) for name in LIMITS}
    if o.json:
        print(json.dumps({"title": title, "engines": descriptions, "limits": limits, "rows": rows}, indent=1))
    else:
        write(title, descriptions, rows)
        print("\nLimits: " + ", ".join(f"{name} {value:.4g}" for name, value in limits.items()))


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    main()
