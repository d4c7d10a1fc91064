"""The live world, as ratios taken in turn on the same machine:

- `squall load` in closed loop against a plain axum handler, to oha's requests a second: at least 1;
- a one-service topology under oha, to the plain axum handler: at least 0.5;
- how late load and delays are at 1,000 and at 5,000 requests a second: p99 under 200 us, on two idle cores.

Give it the release build of squall, the example `plain_axum`, and oha (`cargo install oha`)."""

import json
import statistics
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ONE = str(Path(__file__).parent / "one.yaml")
ROUNDS = 3
SECONDS = 4
LATE_MS = 0.2


@contextmanager
def serving(*command):
    """A server, and the address that it prints first."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()


def by_oha(oha, url):
    command = [oha, "--no-tui", "--output-format", "json", "-c", "64", "-z", f"{SECONDS}s", f"{url}/hello"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["summary"]["requestsPerSec"]


def report(squall, *arguments):
    done = subprocess.run([squall, "--quiet", *arguments, "--json", "-"], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def by_squall(squall, url):
    return report(squall, "load", ONE, "--target", url, "--duration", f"{SECONDS}s")["system"]["ok"] / SECONDS


def ratio(what, ours, theirs, least):
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    a, b = (statistics.median(side) for side in zip(*pairs))
    print(f"{what}: {a:,.0f} to {b:,.0f} requests/s, {a / b:.2f} (at least {least})")
    return a / b >= least


def punctual(what, live):
    late = {key: live[key]["p99"] for key in ("generator_late_ms", "timers_late_ms") if live[key]}
    print(f"{what}: " + ", ".join(f"{key.split('_')[0]} p99 {ms * 1000:.0f} us late" for key, ms in late.items()))
    return all(ms < LATE_MS for ms in late.values())


def main(squall, plain, oha):
    held = []
    with serving(plain) as axum, serving(squall, "--quiet", "up", ONE) as one:
        held.append(ratio("squall load to oha", lambda: by_squall(squall, axum), lambda: by_oha(oha, axum), 1.0))
        held.append(ratio("one service to plain axum", lambda: by_oha(oha, one), lambda: by_oha(oha, axum), 0.5))
        for rate in (1000, 5000):
            load = f"load.users={{name: users, to: hello.hello, rate: {rate}/s, arrivals: poisson}}"
            told = report(squall, "load", ONE, "--set", load, "--target", axum, "--precise")
            held.append(punctual(f"load at {rate}/s", told["live"]))
    for rate in (1000, 5000):
        load = f"load.users={{name: users, to: hello.five, rate: {rate}/s, arrivals: poisson}}"
        told = report(squall, "run", "--live", "--precise", ONE, "--set", load)
        held.append(punctual(f"services at {rate}/s", told["live"]))
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
