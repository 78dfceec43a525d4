"""The clients of soak.py: one kind is honest, the others are what a server on a network meets."""

import asyncio
import json
import random
import socket
import struct
import time

from harness import note

# How many clients of each kind.
KINDS = {
    "honest": 60,
    "aborts": 45,
    "stalls": 25,
    "half_body": 20,
    "headers": 8,
    "drips": 10,
    "garbage": 17,
    "idle": 8,
    "watches": 4,
    "batches": 3,
}
WORDS = (
    "one day the little dog saw a big red ball and a girl said what is that in the old garden near our house".split()
)


class Soak:
    def __init__(self, server, end):
        self.server, self.end = server, end
        self.counts = dict.fromkeys(KINDS, 0)
        self.wrong = []
        self.refused = 0
        self.failures = {}
        self.latencies = []
        self.expected = {}

    @property
    def goes_on(self):
        return time.monotonic() < self.end

    async def open(self, limit=2**16):
        return await asyncio.open_connection("127.0.0.1", self.server.port, limit=limit)

    @staticmethod
    def head(path, length, method="POST", more=""):
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n{more}\r\n"
        ).encode()

    async def exchange(self, path, body, method="POST"):
        """Status and body of an honest request on a connection of its own."""
        data = json.dumps(body).encode() if body is not None else b""
        reader, writer = await self.open()
        try:
            writer.write(self.head(path, len(data), method, "Connection: close\r\n") + data)
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(-1), 600)
        finally:
            writer.close()
        return parse(answer)

    # The kinds. Each does one thing and returns; `client` repeats it.

    async def honest(self, generator):
        key = generator.randrange(len(self.requests))
        path, body = self.requests[key]
        streams = generator.random() < 0.5
        start = time.monotonic()
        status, text = await self.exchange(path, {**body, "stream": True} if streams else body)
        self.latencies.append(time.monotonic() - start)
        if status in (429, 503):
            self.refused += 1
            return await asyncio.sleep(1)
        found = (
            streamed_text(text)
            if streams and status == 200
            else whole_text(text)
            if status == 200
            else text.decode(errors="replace")
        )
        if (status, found) != (200, self.expected[key]):
            self.wrong.append((status, body["prompt"][:40] if "prompt" in body else "chat", found[:200]))

    async def aborts(self, generator):
        body = json.dumps(
            {**self.long(generator), "stream": generator.random() < 0.8, "n": generator.choice([1, 1, 1, 4])}
        ).encode()
        reader, writer = await self.open()
        writer.write(self.head("/v1/completions", len(body)) + body)
        await writer.drain()
        for _ in range(generator.choice([0, 0, 1, 3, 10, 40])):
            if not await asyncio.wait_for(reader.read(200), 60):
                break
        if generator.random() < 0.5:
            # A reset instead of an end.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def stalls(self, generator):
        """Asks for a long stream and does not read it."""
        body = json.dumps({**self.long(generator), "stream": True, "logprobs": 20, "n": 4}).encode()
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(plain, ("127.0.0.1", self.server.port))
            await loop.sock_sendall(plain, self.head("/v1/completions", len(body)) + body)
            await asyncio.sleep(generator.uniform(1, 75))
        finally:
            plain.close()

    async def half_body(self, generator):
        path = generator.choice(["/v1/completions", "/v1/chat/completions", "/v1/files", "/v1/embeddings"])
        body = b'{"prompt": "' + b"a" * generator.choice([0, 10, 5000])
        reader, writer = await self.open()
        writer.write(self.head(path, len(body) + generator.choice([1, 1000, 10**7])) + body)
        await writer.drain()
        await wait_for_end(reader, generator.uniform(0, 45))
        writer.close()

    async def headers(self, generator):
        lines = "".join(f"X-Header-{index}: {'v' * generator.randrange(40)}\r\n" for index in range(10_000))
        reader, writer = await self.open()
        writer.write(self.head("/v1/completions", 2, more=lines) + b"{}")
        await writer.drain()
        await wait_for_end(reader, 20)
        writer.close()

    async def drips(self, generator):
        """A byte now and then."""
        reader, writer = await self.open()
        text = (
            self.head("/v1/completions", 20) if generator.random() < 0.5 else b"GET / HTTP/1.1\r\nX-Slow: " + b"z" * 500
        )
        for place in range(len(text)):
            writer.write(text[place : place + 1])
            await writer.drain()
            await asyncio.sleep(generator.uniform(0.2, 2))
            if reader.at_eof() or not self.goes_on:
                break
        writer.close()

    async def garbage(self, generator):
        deep = b"[" * 20_000
        bodies = [
            b"{",
            b"null",
            b"\xff\xfe{}",
            deep,
            b'{"prompt":' + deep,
            b'{"prompt": "x", "n": 1000000000}',
            b'{"prompt": "x", "max_tokens": 1e400}',
            b'{"prompt": [99999999]}',
            b'{"prompt": "x", "stop": [1]}',
            json.dumps({"prompt": "x" * 3_000_000}).encode(),
            b'{"messages": [{"role": "user", "content": [[[]]]}]}',
            json.dumps({"prompt": "x", "logit_bias": {str(each): 1 for each in range(50_000)}}).encode(),
        ]
        if generator.random() < 0.6:
            path = generator.choice(
                [
                    "/v1/completions",
                    "/v1/chat/completions",
                    "/v1/embeddings",
                    "/v1/messages",
                    "/v1/responses",
                    "/v1/batches",
                    "/v1/files",
                    "/tokenize",
                    "/detokenize",
                    "/apply-template",
                ]
            )
            body = generator.choice(bodies)
            data = self.head(path, len(body)) + body
        else:
            data = generator.choice(
                [
                    generator.randbytes(2000),
                    b"\x16\x03\x01" + generator.randbytes(300),
                    b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"GET /page/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                    b"BREW /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                    b"GET " + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
                    b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                    b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
                    b"POST / HTTP/9.9\r\n\r\n",
                    b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                    b"GET /v1/batches/x'%20OR%201=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                ]
            )
        reader, writer = await self.open()
        writer.write(data)
        await writer.drain()
        await wait_for_end(reader, 3)
        writer.close()

    async def idle(self, generator):
        reader, writer = await self.open()
        await wait_for_end(reader, generator.uniform(5, 90))
        writer.close()

    async def watches(self, generator):
        reader, writer = await self.open()
        writer.write(self.head("/apus/engine/events", 0, "GET"))
        await writer.drain()
        end = time.monotonic() + generator.uniform(2, 30)
        while time.monotonic() < end and await asyncio.wait_for(reader.read(65536), 60):
            pass
        writer.close()

    async def batches(self, generator):
        """Uploads that break off, batches that are cancelled."""
        lines = "".join(
            json.dumps(
                {"custom_id": str(index), "method": "POST", "url": "/v1/completions", "body": self.long(generator)}
            )
            + "\n"
            for index in range(20)
        )
        form = (
            '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; name="file"; '
            f'filename="soak.jsonl"\r\n\r\n{lines}\r\n--b--\r\n'
        ).encode()
        head = (
            f"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n"
            f"Content-Length: {len(form)}\r\n\r\n"
        ).encode()
        reader, writer = await self.open()
        breaks = generator.random() < 0.5
        writer.write(head + (form[: generator.randrange(len(form))] if breaks else form))
        await writer.drain()
        if breaks:
            return writer.close()
        status, text = parse(await asyncio.wait_for(reader.read(-1), 60))
        writer.close()
        if status != 200:
            return self.wrong.append((status, "upload", text[:200].decode(errors="replace")))
        file = json.loads(text)["id"]
        status, text = await self.exchange(
            "/v1/batches", {"input_file_id": file, "endpoint": "/v1/completions", "completion_window": "24h"}
        )
        if status != 200:
            return self.wrong.append((status, "batch", text[:200].decode(errors="replace")))
        batch = json.loads(text)["id"]
        await asyncio.sleep(generator.uniform(0, 8))
        await self.exchange(f"/v1/batches/{batch}/cancel", {})
        for _ in range(200):
            status, text = await self.exchange(f"/v1/batches/{batch}", None, "GET")
            stored = json.loads(text)
            if stored.get("status") in ("cancelled", "completed", "failed", "expired"):
                break
            await asyncio.sleep(0.3)
        else:
            self.wrong.append((status, "a batch that does not end", str(stored)[:200]))
        for each in (file, stored.get("output_file_id"), stored.get("error_file_id")):
            if each:
                await self.exchange(f"/v1/files/{each}", None, "DELETE")

    def long(self, generator):
        prompt = " ".join(generator.choices(WORDS, k=generator.choice([5, 50, 200])))
        return {
            "model": "model",
            "prompt": prompt,
            "max_tokens": 300,
            "temperature": 1,
            "seed": generator.randrange(10**6),
            "ignore_eos": True,
        }

    async def client(self, kind, number):
        generator = random.Random(f"{kind} {number}")
        await asyncio.sleep(generator.uniform(0, 10))
        while self.goes_on:
            try:
                await getattr(self, kind)(generator)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                # A bad client may be cut off; a good one may not.
                if kind in ("honest", "batches", "watches"):
                    self.wrong.append((0, kind, repr(error)))
                self.failures[kind] = self.failures.get(kind, 0) + 1
            self.counts[kind] += 1
            # Who asks again at once only measures how fast this script is.
            await asyncio.sleep(generator.uniform(0.2, 2))

    async def run(self, scale):
        clients = [
            self.client(kind, number)
            for kind, number_of in KINDS.items()
            for number in range(max(1, round(number_of * scale)))
        ]
        self.clients = len(clients)
        await asyncio.gather(*clients, self.observe())

    async def observe(self):
        self.memory = []
        start = time.monotonic()
        while self.goes_on:
            self.memory.append((time.monotonic() - start, self.server.resident(), self.server.descriptors()))
            if len(self.memory) % 24 == 1:
                note(
                    f"{self.memory[-1][0] / 60:5.1f} min: {self.memory[-1][1] / 1e6:.1f} MB, {self.memory[-1][2]} descriptors, "
                    f"{sum(self.counts.values())} exchanges, {self.counts['honest']} honest, {len(self.wrong)} wrong"
                )
            await asyncio.sleep(5)


async def wait_for_end(reader, seconds):
    try:
        await asyncio.wait_for(reader.read(-1), seconds)
    except TimeoutError:
        pass


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        raise OSError(f"no answer: {answer[:60]!r}")
    if b"transfer-encoding: chunked" in head.lower():
        whole, rest = b"", body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            whole += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        body = whole
    return int(head[9:12]), body


def whole_text(body):
    choice = json.loads(body)["choices"][0]
    return choice["text"] if "text" in choice else choice["message"]["content"]


def streamed_text(body):
    lines = body.decode().split("\n")
    if "data: [DONE]" not in lines:
        raise OSError("a stream without an end")
    text = ""
    for line in lines:
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["text"] if "text" in choice else choice["delta"].get("content") or ""
    return text
