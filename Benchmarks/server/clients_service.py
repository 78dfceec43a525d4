"""What operators and other clients call: health, metrics, tokenize, keys, CORS, TLS, draining. With `openai` where a client is needed."""

import json, os, signal, subprocess, threading, time
import openai
from clients_openai import refused
from harness import Server, certificate

METRICS = [
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prefix_cache_queries",
    "vllm:prefix_cache_hits",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:inter_token_latency_seconds_bucket",
    "vllm:e2e_request_latency_seconds_bucket",
    "vllm:request_queue_time_seconds_bucket",
]


def run(tally, server, apus, folder):
    tally.attempt(
        "/health, /ready, /version",
        lambda: all(server.get(path)[0] == 200 for path in ("/health", "/ready", "/version")),
    )

    def metrics():
        text = server.get("/metrics")[1].decode()
        missing = [name for name in METRICS if name not in text]
        return not missing, missing

    tally.attempt("/metrics has the names that dashboards know", metrics)

    def tokens():
        text = "Once upon a time, ärger 🐦"
        ids = json.loads(
            server.request("POST", "/tokenize", {"model": "stories", "prompt": text, "add_special_tokens": False})[1]
        )["tokens"]
        back = json.loads(server.request("POST", "/detokenize", {"model": "stories", "tokens": ids})[1])
        return ids and text in (back.get("prompt"), back.get("content"), back.get("text")), back

    tally.attempt("/tokenize and /detokenize are inverse", tokens)

    def template():
        status, answer = server.request(
            "POST", "/apply-template", {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
        )
        return status == 200 and "<|user|>hello<|end|><|assistant|>" in json.loads(answer)["prompt"], answer

    tally.attempt("/apply-template", template)

    def page():
        connection = server.connection()
        connection.request("GET", "/")
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status == 200 and "<title>Apus</title>" in text and "default-src 'none'" in (
            answer.getheader("Content-Security-Policy") or ""
        ), answer.getheaders()

    tally.attempt("the page, with its policy", page)

    def busy():
        """/health while a prompt as long as the context is read, again and again."""
        context = server.engine()[0]["context"]
        done = threading.Event()

        def fill():
            place = 0
            while not done.is_set():
                place += 1
                server.request(
                    "POST",
                    "/v1/completions",
                    {
                        "model": "chat",
                        "max_tokens": 1,
                        "prompt": [
                            [5 + (each * place * 17 + row) % 4000 for each in range(context - 8)] for row in range(8)
                        ],
                    },
                )

        thread = threading.Thread(target=fill)
        thread.start()
        times = []
        try:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                start = time.perf_counter()
                server.get("/health")
                times.append(time.perf_counter() - start)
        finally:
            done.set()
            thread.join()
        times.sort()
        p99 = 1e3 * times[int(0.99 * len(times))]
        return p99 < 50, f"p99 {p99:.1f} ms of {len(times)}"

    tally.attempt("/health answers within 50 ms while long prompts are read", busy)

    def disconnect():
        """A client that goes away costs no further tokens."""
        connection = server.connection()
        connection.request(
            "POST",
            "/v1/completions",
            json.dumps(
                {"model": "stories", "prompt": "One day", "max_tokens": 900, "ignore_eos": True, "stream": True}
            ),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        answer.readline()
        answer.close()
        connection.close()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            if all(
                each.get("running", 0) == each.get("waiting", 0) == 0 and each.get("pages", {}).get("used", 0) == 0
                for each in server.engine()
            ):
                return True
            time.sleep(0.02)
        return False, server.engine()

    tally.attempt("a client that goes away costs nothing 2 s later", disconnect)

    # Keys

    keys = f"{folder}/keys"
    with open(keys, "w") as file:
        file.write("first-key name=first\nslow-key name=slow rate=2\n")
    locked = Server(
        apus,
        folder,
        ["stories=builtin:stories"],
        "--api-key-file",
        keys,
        "--cors",
        "https://example.org",
        name="locked",
    ).start()
    try:
        client = lambda key: openai.OpenAI(base_url=f"{locked.url}/v1", api_key=key, max_retries=0)
        ask = lambda key: client(key).completions.create(model="stories", prompt="a", max_tokens=1)
        tally.attempt("keys: a good one", lambda: bool(ask("first-key").choices))
        tally.attempt("keys: a bad one", lambda: refused(lambda: ask("wrong"), 401, code="invalid_api_key"))
        open_paths = [
            "/v1/models",
            "/metrics",
            "/tokenize",
            "/apus/engine",
            "/v1/messages",
            "/v1/batches",
            "/apply-template",
            "/version",
        ]
        statuses = {path: locked.get(path)[0] for path in open_paths}
        tally.check(
            "keys: every route but /health, /ready and the page asks for one",
            all(status in (401, 403) for status in statuses.values()),
            statuses,
        )
        tally.check("keys: the page and /health need none", locked.get("/")[0] == locked.get("/health")[0] == 200)

        def rate():
            statuses = []
            for _ in range(4):
                try:
                    ask("slow-key")
                    statuses.append(200)
                except openai.APIStatusError as error:
                    statuses.append(error.status_code)
            return statuses[:2] == [200, 200] and statuses[-1] == 429, statuses

        tally.attempt("keys: one with a rate of 2 a minute is refused with 429", rate)

        def reload():
            with open(keys, "w") as file:
                file.write("second-key\n")
            locked.process.send_signal(signal.SIGHUP)
            time.sleep(1)
            return bool(ask("second-key").choices) and refused(lambda: ask("first-key"), 401)[0]

        tally.attempt("keys: SIGHUP reads the file again", reload)

        def cors():
            connection = locked.connection()
            connection.request(
                "OPTIONS",
                "/v1/models",
                headers={
                    "Origin": "https://example.org",
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization,content-type",
                },
            )
            answer = connection.getresponse()
            good = answer.getheader("Access-Control-Allow-Origin") == "https://example.org"
            connection = locked.connection()
            connection.request(
                "OPTIONS",
                "/v1/models",
                headers={"Origin": "https://example.com", "Access-Control-Request-Method": "POST"},
            )
            return good and connection.getresponse().getheader("Access-Control-Allow-Origin") is None

        tally.attempt("CORS: the origin that was named and no other", cors)
    finally:
        locked.kill()

    def public():
        done = subprocess.run(
            [os.path.abspath(apus), "serve", "--host", "0.0.0.0", "--port", "0", "--no-state"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode != 0 and "key" in done.stderr, done.stderr

    tally.attempt("a public address without keys is refused", public)

    def encrypted():
        pair = certificate(folder)
        secure = Server(apus, folder, ["stories=builtin:stories"], name="tls", tls=pair).start()
        try:
            import httpx, ssl

            client = openai.OpenAI(
                base_url=f"https://localhost:{secure.port}/v1",
                api_key="any",
                http_client=httpx.Client(verify=ssl.create_default_context(cafile=pair[0])),
            )
            return (
                len(list(client.completions.create(model="stories", prompt="One day", max_tokens=8, stream=True))) > 1
            )
        finally:
            secure.kill()

    tally.attempt("TLS", encrypted)

    def drains():
        """SIGTERM: what is under way ends, what is new is refused, the exit status is 0."""
        leaving = Server(apus, folder, ["stories=builtin:stories"], name="leaving").start()
        connection = leaving.connection()
        connection.request(
            "POST",
            "/v1/completions",
            json.dumps({"prompt": "One day", "max_tokens": 400, "ignore_eos": True, "stream": True}),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        answer.readline()
        leaving.process.send_signal(signal.SIGTERM)
        whole = answer.read().decode()
        status = leaving.process.wait(60)
        return "data: [DONE]" in whole and status == 0, (status, whole[-200:])

    tally.attempt("SIGTERM lets an answer end", drains)
