"""Locust's own users, headless, against `squall up social`: no failure, also while recommendations are down."""

import json
import subprocess
import sys
from pathlib import Path

from up import Up

HERE = Path(__file__).parent
JOURNEYS = {"/api/feed": 5, "/api/posts": 3, "/api/search": 2, "/api/users/{id}/profile": 1}


def run(locust, host, seconds):
    """The statistics of one run, by name."""
    command = [locust, "-f", HERE / "locustfile.py", "--headless", "--users", "60", "--spawn-rate", "60"]
    command += ["--run-time", f"{seconds}s", "--host", host, "--json", "--only-summary"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"locust ended with {done.returncode}: {done.stderr}"
    return {row["name"]: row for row in json.loads(done.stdout)}


def check(what, rows, slowest_ms):
    for name, weight in JOURNEYS.items():
        row = rows[name]
        print(f"{what}: {name} {row['num_requests']} requests, {row['num_failures']} failures, "
              f"at most {row['max_response_time']:.0f} ms")
        assert row["num_failures"] == 0, f"{what}: {name} failed {row['num_failures']} times"
        assert row["num_requests"] >= 5 * weight, f"{what}: too few requests of {name}"
        assert row["max_response_time"] < slowest_ms, f"{what}: {name} took {row['max_response_time']} ms"


def main(squall, locust):
    with Up(squall, "social") as up:
        host = up.services["gateway"]
        check("healthy", run(locust, host, 15), 2000)
        assert '"degraded":false' in up.get("gateway", "/api/feed")
        up.desk("POST", "/v1/faults", '{"name": "no-recommendations", "target": "recommendation", "down": true}')
        assert '"degraded":true' in up.get("gateway", "/api/feed"), "the feed is simpler, and it is there"
        check("without recommendations", run(locust, host, 15), 2000)
        assert '"degraded":true' in up.get("gateway", "/api/feed")
        assert '"degraded":false' in up.get("gateway", "/api/search?q=x")
        up.desk("DELETE", "/v1/faults/no-recommendations")


if __name__ == "__main__":
    main(*sys.argv[1:])
