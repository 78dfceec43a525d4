"""What the scripts of this folder share: environments of Python packages, a server process, a tally of checks."""

import http.client, json, os, signal, socket, ssl, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
DEFAULT = f"{REPOSITORY}/.build/release/apus"


def note(text):
    print(text, file=sys.stderr, flush=True)


def inside(folder, name, packages):
    """Goes on in a virtual environment that has `packages`; it is made once, in `folder`/`name`."""
    place = f"{os.path.abspath(folder)}/{name}"
    python, mark = f"{place}/bin/python", f"{place}/complete"
    if os.path.realpath(sys.prefix) == os.path.realpath(place):
        return
    if not os.path.exists(mark):
        note(f"installing {' '.join(packages)} into {place}")
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        open(mark, "w").close()
    os.execv(python, [python, os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`apus serve` as a process, on loopback."""

    def __init__(self, apus, folder, models, *flags, name="serve", tls=None):
        self.port = free_port()
        self.tls = tls
        self.log = f"{folder}/{name}.log"
        self.command = [os.path.abspath(apus), "serve", "--port", str(self.port), "--state", f"{folder}/{name}-state"]
        for model in models:
            self.command += ["--model", model]
        if tls:
            self.command += ["--tls-certificate", tls[0], "--tls-key", tls[1]]
        self.command += flags
        self.process = None

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self, limit=120):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        end = time.monotonic() + limit
        while True:
            if self.process.poll() is not None:
                sys.exit(f"the server ended with {self.process.returncode}: {self.tail()}")
            try:
                if self.get("/ready")[0] == 200:
                    return self
            except OSError:
                pass
            if time.monotonic() > end:
                self.kill()
                sys.exit(f"the server was not ready after {limit} s: {self.tail()}")
            time.sleep(0.05)

    def stop(self, limit=60):
        """Asks it to end, as an operator does; returns its exit status, None where it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def tail(self):
        with open(self.log, errors="replace") as log:
            return " / ".join(log.read().strip().splitlines()[-3:]) or "it printed nothing"

    def connection(self, timeout=300):
        if self.tls:
            context = ssl.create_default_context(cafile=self.tls[0])
            return http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=300):
        """Status and body."""
        connection = self.connection(timeout)
        try:
            data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        """Status and the JSON answered, numbers as they were written."""
        status, text = self.request("POST", path, body, headers)
        return status, json.loads(text, parse_float=str)

    def engine(self):
        return json.loads(self.get("/apus/engine")[1])["models"]

    # What the system says of the process.

    def resident(self):
        """Bytes in memory."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


def deltas(server, path, body):
    """The JSON objects of a stream, numbers as they were written."""
    connection = server.connection()
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {answer.read().decode(errors='replace')[:300]}")
        for line in answer:
            line = line.strip()
            if line == b"data: [DONE]":
                return
            if line.startswith(b"data: "):
                yield json.loads(line[6:], parse_float=str)
        raise RuntimeError(f"{path}: the stream ended without [DONE]")
    finally:
        connection.close()


def certificate(folder):
    """A certificate for this machine that signs itself."""
    paths = f"{folder}/cert.pem", f"{folder}/key.pem"
    if not os.path.exists(paths[0]):
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-out",
                paths[0],
                "-keyout",
                paths[1],
            ],
            check=True,
            capture_output=True,
        )
    return paths


class Tally:
    """Checks, a line each."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, holds, detail=""):
        if holds:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}{': ' + str(detail) if detail != '' else ''}", flush=True)
        return bool(holds)

    def attempt(self, name, work):
        """A check that is a function; one that raises has failed."""
        try:
            self.check(name, *outcome(work()))
        except Exception as error:  # Whatever a client raises is what its user would see.
            self.check(name, False, f"{type(error).__name__}: {str(error)[:400]}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


def outcome(value):
    return value if isinstance(value, tuple) else (value is None or value,)
