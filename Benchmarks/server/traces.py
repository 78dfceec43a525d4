"""Traces of `apus serve --trace-endpoint` as a collector reads them, by OpenTelemetry's own schema.

    python3 Benchmarks/server/traces.py --apus .build/release/apus --environment /tmp/apus-traces

Takes the spans by OTLP over HTTP as JSON and parses them with the messages of `opentelemetry-proto`, which refuse unknown names and
wrong types. Identifiers are hexadecimal there, unlike the JSON of other messages (OTLP 1.x, "JSON Protobuf Encoding").
"""

import argparse, base64, http.server, json, os, shutil, tempfile, threading, time
from harness import DEFAULT, Server, Tally, inside

IDENTIFIERS = ("traceId", "spanId", "parentSpanId")


class Collector(http.server.BaseHTTPRequestHandler):
    requests = []
    status = 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, self.headers["Content-Type"], body))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def spans():
    """All spans so far, as the schema's messages."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for _, _, body in list(Collector.requests):
        request = json.loads(body)
        for resource in request["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    for name in IDENTIFIERS:
                        if name in span:
                            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        message = ParseDict(request, ExportTraceServiceRequest())
        for resource in message.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            found += [(names, span) for scope in resource.scope_spans for span in scope.spans]
    return found


def attributes(span):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=DEFAULT)
    parser.add_argument("--environment", required=True, help="a folder for Python packages")
    arguments = parser.parse_args()
    inside(arguments.environment, "traces", ["opentelemetry-proto"])
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    folder, tally = tempfile.mkdtemp(prefix="apus-traces-"), Tally()
    endpoint = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    server = Server(arguments.apus, folder, ["stories=builtin:stories"], "--trace-endpoint", endpoint).start()
    trace, parent = os.urandom(16).hex(), os.urandom(8).hex()
    try:
        before = time.time_ns()
        _, answer = server.request(
            "POST", "/v1/completions", {"model": "stories", "prompt": "One day", "max_tokens": 5},
            {"traceparent": f"00-{trace}-{parent}-01"},
        )
        usage = json.loads(answer)["usage"]
        refused, _ = server.request("POST", "/v1/completions", {"model": "nobody", "prompt": "One day"})
        after = time.time_ns()
        end = time.monotonic() + 10
        while sum("completions" in span.name for _, span in spans()) < 2 and time.monotonic() < end:
            time.sleep(0.1)
        found = [(resource, span) for resource, span in spans() if span.name == "POST /v1/completions"]
        tally.check("each request has one span", len(found) == 2, [span.name for _, span in found])
        tally.check(
            "the collector's path and type",
            all(path == "/v1/traces" and kind.startswith("application/json") for path, kind, _ in Collector.requests),
            [each[:2] for each in Collector.requests],
        )
        tally.check("the service has a name", all(resource["service.name"] == "apus" for resource, _ in found), found)
        ours = next((span for _, span in found if span.trace_id.hex() == trace), None)
        tally.check("the client's trace goes on", ours is not None and ours.parent_span_id.hex() == parent, found)
        other = next((span for _, span in found if span.trace_id.hex() != trace), None)
        tally.check("another request has a trace of its own", other is not None and len(other.trace_id) == 16 and not other.parent_span_id, other)
        values = attributes(ours)
        tally.check(
            "tokens as in the answer's usage",
            values.get("gen_ai.usage.input_tokens") == usage["prompt_tokens"] and values.get("gen_ai.usage.output_tokens") == usage["completion_tokens"],
            values,
        )
        tally.check("no prompt in it", not any("One day" in str(value) for value in values.values()), values)
        tally.check("times are the request's", before <= ours.start_time_unix_nano < ours.end_time_unix_nano <= after + 10_000_000, ours)
        tally.check("a refusal says its status", attributes(other).get("http.response.status_code") == refused == 404, attributes(other))
        Collector.status = 503
        server.request("POST", "/v1/completions", {"model": "stories", "prompt": "One day", "max_tokens": 1})
        time.sleep(3)
        collector.shutdown()
        collector.server_close()
        status, _ = server.request("POST", "/v1/completions", {"model": "stories", "prompt": "One day", "max_tokens": 1})
        tally.check("a collector that fails or is gone changes no answer", status == 200, status)
        time.sleep(3)
        with open(server.log) as log:
            text = log.read()
        tally.check("and the log says what is lost", "the trace collector answered 503" in text and "cannot be reached" in text, text[-400:])
        tally.check("the server ends when asked", server.stop() == 0, server.tail())
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    tally.end()


if __name__ == "__main__":
    main()
