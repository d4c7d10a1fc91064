"""Prometheus scrapes every service of `squall up social` under load, and `promtool check metrics` has nothing to say."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from up import Up

WAIT_S = 40


def promtool(up):
    for name, url in up.services.items():
        page = urllib.request.urlopen(url + "/metrics", timeout=5).read()
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
        said = (done.stdout + done.stderr).decode().strip()
        assert done.returncode == 0 and not said, f"promtool on {name}: {said}"
    print(f"promtool is silent about {len(up.services)} services")


def free_port():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def query(port, text):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": text})
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["data"]["result"]
    except (urllib.error.URLError, ConnectionError):
        return []


def wait_for(port, text, wanted):
    """Asks until the answer has as many rows as wanted, or for ever is over."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        rows = query(port, text)
        if len(rows) >= wanted:
            return rows
        time.sleep(0.5)
    raise AssertionError(f"`{text}` never had {wanted} rows: {query(port, text)}")


def main(squall):
    with Up(squall, "social") as up, tempfile.TemporaryDirectory() as folder:
        load = subprocess.Popen(
            [squall, "--quiet", "load", "social", "--target", up.services["gateway"]],
            stdout=subprocess.DEVNULL,
        )
        targets = json.dumps([url.removeprefix("http://") for url in up.services.values()])
        config = Path(folder, "prometheus.yml")
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            f"scrape_configs: [{{job_name: squall, static_configs: [{{targets: {targets}}}]}}]\n"
        )
        port = free_port()
        prometheus = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port, "up == 1", len(up.services))
            print(f"Prometheus scrapes all of {len(up.services)} services")
            rows = wait_for(port, 'rate(squall_requests_total{service="gateway",outcome="ok"}[5s]) > 0', 4)
            print(f"gateway's rate is told for {len(rows)} endpoints")
            wait_for(port, "histogram_quantile(0.99, rate(squall_request_duration_seconds_bucket[5s])) > 0", 1)
            promtool(up)
        finally:
            prometheus.terminate()
            prometheus.wait(20)
            load.terminate()
            load.wait(20)


if __name__ == "__main__":
    main(*sys.argv[1:])
