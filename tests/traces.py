"""Traces against a real OTLP receiver and against opentelemetry-proto: traces.py SQUALL OTELTAP"""

import base64
import http.server
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

squall, oteltap = sys.argv[1:]
ASKED = ["trace", "cascade", "--at", "first-failure"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens on port {port}")


def spans_of(request):
    for resource in request.resource_spans:
        service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield service, span


def as_bytes(value):
    """OTLP/JSON has ids in hexadecimal where protocol buffers' own JSON has base64."""
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else as_bytes(v) for k, v in value.items()}
    return [as_bytes(item) for item in value] if isinstance(value, list) else value


# A real receiver.
port = free_port()
receiver = subprocess.Popen(
    [oteltap, "--port", str(port), "--await-span", "query stock-db"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
)
listening(port)
subprocess.run([squall, *ASKED, "--quiet", "--otlp", f"http://127.0.0.1:{port}"], check=True)
assert receiver.wait(timeout=20) == 0, receiver.stdout.read().decode()
print("oteltap has received the query")

# What goes over the wire, and what goes into a file, as opentelemetry-proto reads them.
bodies = []


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf"), self.path
        bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.NamedTemporaryFile() as file:
    url = f"http://127.0.0.1:{server.server_port}"
    subprocess.run([squall, *ASKED, "--quiet", "--epoch", "1700000000", "--otlp", url], check=True)
    subprocess.run([squall, *ASKED, "--quiet", "--epoch", "1700000000", "--otlp", file.name], check=True)
    written = json.load(open(file.name))
wired = ExportTraceServiceRequest.FromString(bodies[0])
parsed = json_format.ParseDict(as_bytes(written), ExportTraceServiceRequest())
assert wired == parsed, "the same request in both encodings"

own = json.loads(subprocess.run([squall, *ASKED, "--json", "-"], check=True, capture_output=True).stdout)["traces"][0]
spans = {span.span_id.hex(): (service, span) for service, span in spans_of(wired)}
assert len(spans) == len(own["spans"]) > 10
for span in own["spans"]:
    service, found = spans[span["id"]]
    assert found.trace_id.hex() == own["trace_id"] and len(found.trace_id) == 16 and len(found.span_id) == 8
    assert found.parent_span_id.hex() == (span["parent"] or "")
    assert found.start_time_unix_nano == 1_700_000_000_000_000_000 + span["start_ns"]
    assert found.end_time_unix_nano == 1_700_000_000_000_000_000 + span["end_ns"]
root = spans[own["spans"][0]["id"]][1]
assert (root.status.code, root.status.message) == (2, "timeout"), root
assert {"checkout", "gateway", "order", "inventory"} == {service for service, _ in spans.values()}
print(f"opentelemetry-proto reads all {len(spans)} spans, from the wire and from the file alike")

# A request that passes four services, in virtual time and over real HTTP: one trace each, every span a child of one that
# is there, all the way to a real receiver.
SHORT = ["duration=10s", "phases={}", "faults=[]", "expect=[]"]
ACROSS = ["trace", "social", "--quiet", "--at", "p50", "--of", "visitors.feed"] + [f"--set={one}" for one in SHORT]


def four_services(bodies, what):
    for body in bodies:
        found = list(spans_of(ExportTraceServiceRequest.FromString(body)))
        ids = {span.span_id for _, span in found}
        of_traces = {span.trace_id: set() for _, span in found}
        for service, span in found:
            assert not span.parent_span_id or span.parent_span_id in ids, (what, span)
            of_traces[span.trace_id].add(service)
        widest = max(of_traces.values(), key=len)
        # The users are one of them.
        assert len(widest) >= 5, (what, widest)
        print(f"{what}: a trace spans {', '.join(sorted(widest))}")


for what, world in [("virtual time", []), ("real HTTP", ["--live"])]:
    bodies.clear()
    subprocess.run([squall, *ACROSS, *world, "--otlp", url], check=True)
    assert bodies, what
    four_services(bodies, what)
    port = free_port()
    receiver = subprocess.Popen(
        [oteltap, "--port", str(port), "--await-span", "suggest"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    listening(port)
    subprocess.run([squall, *ACROSS, *world, "--otlp", f"http://127.0.0.1:{port}"], check=True)
    assert receiver.wait(timeout=20) == 0, receiver.stdout.read().decode()
    print(f"{what}: oteltap has received it")

# Nobody there.
refused = subprocess.run([squall, *ASKED, "--quiet", "--otlp", f"http://127.0.0.1:{free_port()}"], capture_output=True)
assert refused.returncode == 3 and b"did not take the traces" in refused.stderr, refused
print("a collector that is not there is exit code 3")
