"""A server among bad clients: 200 of them abort, stall, send halves of bodies, ten thousand headers and garbage, beside honest ones.

    python3 Benchmarks/server/soak.py --apus .build/release/apus --minutes 30

Everything goes to a server on loopback that the script starts, and ends after the minutes given. Afterwards: no request is live and
no page in use, memory has not grown, descriptors and threads are as many as before, every honest answer was the right one, and
/health answered all the time; a process of its own measured that ten times a second.
"""

import argparse, asyncio, json, multiprocessing, random, shutil, socket, statistics, tempfile, time
from harness import DEFAULT, Server, Tally
from soak_clients import WORDS, Soak, whole_text


def probe(port, stop, times):
    """/health on a fresh connection, ten times a second."""
    while not stop.is_set():
        start = time.perf_counter()
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                plain.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                good = plain.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            good = False
        times.append(time.perf_counter() - start if good else -1.0)
        stop.wait(max(0, 0.1 - (time.perf_counter() - start)))


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=DEFAULT)
    parser.add_argument("--model", default="builtin:stories")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--scale", type=float, default=1, help="1 is 200 clients")
    parser.add_argument(
        "--cache", default="64Mi", help="memory for keys and values, so that what grows is not the cache's first use"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not 0 < arguments.minutes <= 24 * 60:
        parser.error("--minutes must be above 0 and at most 1440")
    folder = tempfile.mkdtemp(prefix="apus-soak-")
    tally = Tally()
    server = Server(
        arguments.apus, folder, [f"model={arguments.model}"], "--max-cache", arguments.cache, "--log-level", "error"
    ).start()
    try:
        soak = Soak(server, 0)
        generator = random.Random(3)
        soak.requests = [
            (
                "/v1/completions",
                {
                    "model": "model",
                    "prompt": " ".join(generator.choices(WORDS, k=generator.choice([3, 30, 120]))),
                    "max_tokens": generator.choice([1, 16, 64]),
                    "temperature": generator.choice([0, 1]),
                    "seed": generator.randrange(1000),
                },
            )
            for _ in range(40)
        ]
        for key, (path, body) in enumerate(soak.requests):
            status, text = server.request("POST", path, body)
            assert status == 200, text
            soak.expected[key] = whole_text(text)
        before = {"threads": server.threads(), "descriptors": server.descriptors(), "resident": server.resident()}
        manager = multiprocessing.Manager()
        times, stop = manager.list(), multiprocessing.Event()
        prober = multiprocessing.Process(target=probe, args=(server.port, stop, times))
        prober.start()
        soak.end = time.monotonic() + 60 * arguments.minutes
        asyncio.run(soak.run(arguments.scale))
        stop.set()
        prober.join()
        # Whoever stalls has had its last chance by then.
        settled = time.monotonic() + 120
        while time.monotonic() < settled:
            model = server.engine()[0]
            if (
                model["running"] == model["waiting"] == model["pages"]["used"] == 0
                and server.descriptors() <= before["descriptors"] + 4
            ):
                break
            time.sleep(1)
        model = server.engine()[0]
        took = 120 - max(0, settled - time.monotonic())
        after = {"threads": server.threads(), "descriptors": server.descriptors(), "resident": server.resident()}
        times = list(times)
        good = [each for each in times if each >= 0]
        quarter = len(soak.memory) // 4
        early = statistics.median(each[1] for each in soak.memory[quarter : 2 * quarter] or soak.memory)
        late = statistics.median(each[1] for each in soak.memory[3 * quarter :] or soak.memory)
        report = {
            "minutes": arguments.minutes,
            "clients": soak.clients,
            "exchanges": soak.counts,
            "cut_off": soak.failures,
            "honest": soak.counts["honest"],
            "honest_refused": soak.refused,
            "wrong": len(soak.wrong),
            "honest_seconds": {"half": share(soak.latencies, 0.5), "p99": share(soak.latencies, 0.99)},
            "health_ms": {
                "count": len(times),
                "failed": len(times) - len(good),
                "half": 1e3 * share(good, 0.5),
                "p99": 1e3 * share(good, 0.99),
                "most": 1e3 * max(good),
            },
            "resident_mb": {
                "before": before["resident"] / 1e6,
                "second_quarter": early / 1e6,
                "last_quarter": late / 1e6,
                "after": after["resident"] / 1e6,
                "most": max(each[1] for each in soak.memory) / 1e6,
            },
            "descriptors": {
                "before": before["descriptors"],
                "most": max(each[2] for each in soak.memory),
                "after": after["descriptors"],
            },
            "threads": {"before": before["threads"], "after": after["threads"]},
            "settled_s": round(took, 1),
            "engine": model["counters"],
            "pages": model["pages"],
        }
        print(json.dumps(report, indent=None if arguments.json else 1))
        tally.check(
            "no request is live",
            model["running"] == model["waiting"] == 0,
            f"{model['running']} running, {model['waiting']} waiting",
        )
        tally.check("no page is in use", model["pages"]["used"] == 0, model["pages"])
        tally.check("every honest request was answered rightly", not soak.wrong, soak.wrong[:5])
        tally.check("no honest request was refused", soak.refused == 0, soak.refused)
        tally.check(
            "memory is flat: the last quarter within 5 % of the second",
            late <= 1.05 * early,
            f"{early / 1e6:.1f} MB, then {late / 1e6:.1f} MB",
        )
        tally.check(
            "descriptors are given back", after["descriptors"] <= before["descriptors"] + 4, report["descriptors"]
        )
        tally.check("threads are as many as before", after["threads"] <= before["threads"] + 4, report["threads"])
        tally.check(
            "/health always answered", len(good) == len(times), f"{len(times) - len(good)} of {len(times)} failed"
        )
        status, text = server.request("POST", *soak.requests[0])
        tally.check("the server answers as at the beginning", status == 200 and whole_text(text) == soak.expected[0])
        tally.check("the server ends when asked", server.stop() == 0, server.tail())
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    tally.end()


if __name__ == "__main__":
    main()
