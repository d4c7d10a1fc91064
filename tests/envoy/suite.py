#!/usr/bin/env python3
"""Holds squall's Envoy against Envoy itself.

Each scenario is one Envoy configuration. It is run by a real Envoy before squall's own live services, under squall's own
load; and it is imported, and the same file runs in virtual time. What both say of retries, overflows, ejections and errors
must agree, within what repetition shows; so must the times that back-offs take, whom the balancer asks, and when a host is
thrown out and comes back.

Usage: suite.py SQUALL ENVOY [SCENARIO...]
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PORT, LISTENER, ADMIN = 18700, 18790, 18791
SEEDS = 5


def topology(replicas, steps, rate, seconds):
    """A proxy that calls a service; the services' steps may differ by replica through faults."""
    return f"""name: envoy
duration: {seconds}s
drain: 5s
services:
  proxy:
    endpoints:
      get: {{http: GET /, steps: [{{call: backend.get}}]}}
  backend:
    replicas: {replicas}
    endpoints:
      get: {{http: GET /, steps: {steps}}}
load:
  - {{name: users, to: proxy.get, rate: {rate}/s, arrivals: poisson}}
"""


def waits(retries):
    """Every try fails at once, so that a request takes as long as its back-offs."""
    return {"retry_on": "5xx", "num_retries": retries, "retry_back_off": {"base_interval": "0.1s", "max_interval": "0.3s"}}


def bootstrap(replicas, cluster, route):
    """Envoy's configuration: the same text is run and imported."""
    ends = [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": PORT + 1 + i}}}} for i in range(replicas)]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "backend", **route}}]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    }
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": ADMIN}}},
        "static_resources": {
            "listeners": [{"name": "in", "address": {"socket_address": {"address": "127.0.0.1", "port_value": LISTENER}},
                           "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [{"name": "backend", "type": "STATIC", "connect_timeout": "1s", "lb_policy": "ROUND_ROBIN",
                          "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": ends}]}, **cluster}],
        },
    }


MANY = {"max_connections": 1000, "max_pending_requests": 1000, "max_requests": 1000}
RETRY = {"retry_on": "5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"}}

# Name: replicas, steps, rate, (where, what) of a fault, cluster, route.
SCENARIOS = {
    "retries": (1, "[{wait: 5ms}, {fail: 40%}]", 150, None,
                {"circuit_breakers": {"thresholds": [{**MANY, "max_retries": 1000}]}}, {"timeout": "5s", "retry_policy": RETRY}),
    "max-retries": (1, "[{wait: 20ms}, {fail: 60%}]", 150, None,
                    {"circuit_breakers": {"thresholds": [{**MANY, "max_retries": 3}]}}, {"timeout": "5s", "retry_policy": RETRY}),
    "retry-budget": (1, "[{wait: 40ms}, {fail: 60%}]", 200, None,
                     {"circuit_breakers": {"thresholds": [{**MANY, "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 3}}]}},
                     {"timeout": "5s", "retry_policy": RETRY}),
    "connections": (1, "[{wait: 100ms}]", 30, None,
                    {"circuit_breakers": {"thresholds": [{"max_connections": 2, "max_pending_requests": 2, "max_requests": 1000}]}},
                    {"timeout": "5s"}),
    "requests": (1, "[{wait: 100ms}]", 40, None,
                 {"circuit_breakers": {"thresholds": [{"max_connections": 1000, "max_pending_requests": 1000, "max_requests": 3}]}},
                 {"timeout": "5s"}),
    "back-off": (1, "[{fail: 100%}]", 50, None,
                 {"circuit_breakers": {"thresholds": [{**MANY, "max_retries": 1000}]}}, {"timeout": "9s", "retry_policy": waits(1)}),
    "back-offs": (1, "[{fail: 100%}]", 50, None,
                  {"circuit_breakers": {"thresholds": [{**MANY, "max_retries": 1000}]}}, {"timeout": "9s", "retry_policy": waits(4)}),
    "least-request": (4, "[{wait: 10ms}]", 60, ("backend[0]", "add: 150ms"),
                      {"lb_policy": "LEAST_REQUEST", "circuit_breakers": {"thresholds": [MANY]}}, {"timeout": "5s"}),
    "ejection": (4, "[{wait: 2ms}]", 100, ("backend[0]", "errors: 100%, status: 503"),
                 {"circuit_breakers": {"thresholds": [MANY]}, "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
                  "outlier_detection": {"consecutive_5xx": 5, "interval": "1s", "base_ejection_time": "1s", "max_ejection_percent": 50, "enforcing_success_rate": 0}},
                 {"timeout": "5s"}),
    "try-timeout": (1, "[{wait: exponential(30ms)}]", 100, None,
                    {"circuit_breakers": {"thresholds": [{**MANY, "max_retries": 1000}]}},
                    {"timeout": "5s", "retry_policy": {**RETRY, "per_try_timeout": "0.05s"}}),
}
SECONDS = 8


class Watch(threading.Thread):
    """Asks Envoy over and over whether a host is ejected, and when that changed; times are seconds since it was first asked
    for something."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.began, self.moments = threading.Event(), None, []

    def run(self):
        ejected = False
        while not self.over.is_set():
            try:
                stats = envoy_stats()
            except OSError:
                break
            now = time.monotonic()
            if self.began is None and stats.get("upstream_rq_total", 0) > 0:
                self.began = now
            if (stats.get("outlier_detection.ejections_active", 0) > 0) != ejected:
                ejected = not ejected
                self.moments.append(now - self.began)
            self.over.wait(0.02)


def periods(moments, end):
    """When a host was first thrown out, how long it stayed out the first two times, and for how much of the time."""
    outs = list(zip(moments[::2], moments[1::2] + [end]))
    lasted = [back - out for out, back in outs]
    return {
        "first out": outs[0][0] if outs else 0.0,
        "out 1": lasted[0] if lasted else 0.0,
        "out 2": lasted[1] if len(lasted) > 1 else 0.0,
        "time out": sum(lasted) / end,
    }


def quantiles(load):
    """Latencies in ms of all that ended, however it did."""
    of = load["latency_ms"] or load["failed_latency_ms"] or {}
    return {f"{name} ms": of.get(name) or 0.0 for name in ("mean", "p50", "p90", "p99")}


def start(command, log):
    return subprocess.Popen(command, stdout=open(log, "w"), stderr=subprocess.STDOUT, start_new_session=True)


def stop(process):
    if process and process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(check, what, log):
    for _ in range(150):
        if check():
            return
        time.sleep(0.1)
    sys.exit(f"{what} did not get ready:\n{open(log).read()[-3000:]}")


def ready(url):
    try:
        return urllib.request.urlopen(url, timeout=1).status == 200
    except OSError:
        return False


def envoy_stats():
    text = urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/stats?filter=cluster.backend", timeout=5).read().decode()
    return {m[1]: int(m[2]) for m in re.finditer(r"^cluster\.backend\.(\S+): (\d+)$", text, re.M)}


def real(squall, envoy, files, seed):
    """Once through a real Envoy: figures a request."""
    services = proxy = None
    try:
        services = start([squall, "up", files["services"], "--base-port", str(PORT)], "up.log")
        wait_for(lambda: "\nready" in open("up.log").read(), "squall up", "up.log")
        proxy = start([envoy, "-c", files["bootstrap"], "--concurrency", "1", "--disable-hot-restart", "-l", "warning"], "envoy.log")
        wait_for(lambda: ready(f"http://127.0.0.1:{ADMIN}/ready"), "Envoy", "envoy.log")
        if files["fault"]:
            begin_fault(open("up.log").read())
        command = [squall, "load", files["services"], "--target", f"http://127.0.0.1:{LISTENER}", "--seed", str(seed), "--json", "load.json", "--quiet"]
        watch = Watch()
        watch.start()
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
        watch.over.set()
        watch.join(5)
        if not os.path.exists("load.json"):
            sys.exit(f"squall load failed: {ran.stderr}")
        report = json.load(open("load.json"))
        load, late = report["load"]["users"], (report.get("live") or {}).get("generator_late_ms") or {}
        os.remove("load.json")
        stats = envoy_stats()
    finally:
        stop(proxy)
        stop(services)
    offered = load["offered"]
    return {
        "requests": offered,
        "late": late.get("p99") or 0.0,
        "errors": load["failed"] / offered,
        "attempts": stats["upstream_rq_total"] / offered,
        "retries": stats["upstream_rq_retry"] / offered,
        "retry overflow": stats["upstream_rq_retry_overflow"] / offered,
        "overflow": (stats["upstream_rq_pending_overflow"] + stats.get("upstream_rq_active_overflow", 0)) / offered,
        "ejections": stats.get("outlier_detection.ejections_enforced_total", 0),
        **quantiles(load),
        **periods([moment for moment in watch.moments if moment < SECONDS], SECONDS),
    }


def begin_fault(said):
    """The services have no clock of their own: the file's fault is begun by hand."""
    desk, token = re.search(r"control (\S+) token (\S+)", said).groups()
    request = urllib.request.Request(f"{desk}/v1/faults/broken/begin", method="POST", headers={"Authorization": f"Bearer {token}"})
    urllib.request.urlopen(request, timeout=5).read()


def simulated(squall, files, seed):
    ran = subprocess.run([squall, "run", files["imported"], "--seed", str(seed), "--json", "-"], capture_output=True, text=True, timeout=60)
    if ran.returncode not in (0, 1):
        sys.exit(f"squall run failed: {ran.stderr}")
    report = json.loads(ran.stdout)
    load, call = report["load"]["users"], report["calls"]["proxy -> backend"]
    breaker = call.get("breaker") or {}
    ejections = sum(1 for change in breaker.get("transitions", []) if change["to"] == "open")
    offered = load["offered"]
    return {
        "requests": offered,
        "errors": load["failed"] / offered,
        # What overflows is an attempt to squall, and to Envoy not yet one.
        "attempts": (call["attempts"] - call["bulkhead_full"]) / offered,
        "retries": call["retries"] / offered,
        "retry overflow": call["budget_refused"] / offered,
        "overflow": call["bulkhead_full"] / offered,
        "ejections": max(ejections, breaker.get("opened", 0)),
        **quantiles(load),
        **periods([change["at_s"] for change in breaker.get("transitions", []) if change["at_s"] < SECONDS], SECONDS),
    }


def spread(rows, key):
    values = [row[key] for row in rows]
    mean = sum(values) / len(values)
    return mean, max(values) - min(values)


COUNTS = ("errors", "attempts", "retries", "retry overflow", "overflow")
TIMES = ("mean ms", "p50 ms", "p90 ms")
OUTS = ("ejections", "first out", "out 1", "out 2", "time out")
# What else is looked at, by scenario; counts always are.
LOOKS = {"back-off": TIMES, "back-offs": TIMES, "least-request": (*TIMES, "p99 ms"), "ejection": OUTS}
# Envoy looks once a second, wherever in that second a host falls out; a real hop takes a millisecond or so.
FLOORS = {"ejections": 1.0, "out 1": 1.0, "out 2": 1.0, "first out": 0.3, "time out": 0.1,
          **dict.fromkeys((*TIMES, "p99 ms"), 4.0)}
# A load that is sent later than this cannot tell of milliseconds.
LATEST_MS = 2.0


def compare(name, live, sims):
    """Both means, and whether they differ by more than both spreads and a floor."""
    agreed = True
    late = max(row["late"] for row in live)
    for key in COUNTS + LOOKS.get(name, ()):
        if key.endswith(" ms") and late > LATEST_MS:
            print(f"???? {name:<13} {key:<15} NOT JUDGED: the machine is too busy, the load itself was {late:.1f} ms late")
            continue
        (a, da), (b, db) = spread(live, key), spread(sims, key)
        floor = FLOORS.get(key, 0.015)
        tolerance = max(da, db) + 0.1 * max(a, b) + floor
        fine = abs(a - b) <= tolerance
        agreed &= fine
        print(f"{'ok  ' if fine else 'FAIL'} {name:<13} {key:<15} Envoy {a:8.4f}  squall {b:8.4f}  tolerance {tolerance:.4f}")
    return agreed


def main():
    squall, envoy = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    wanted = sys.argv[3:] or list(SCENARIOS)
    agreed = True
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in wanted:
            replicas, steps, rate, fault, cluster, route = SCENARIOS[name]
            text = topology(replicas, steps, rate, SECONDS)
            if fault:
                text += f"faults:\n  - {{name: broken, at: 0s, target: '{fault[0]}', {fault[1]}}}\n"
            files = {"services": "services.yaml", "bootstrap": "bootstrap.json", "imported": "imported.yaml", "fault": fault}
            open(files["services"], "w").write(text)
            json.dump(bootstrap(replicas, cluster, route), open(files["bootstrap"], "w"))
            subprocess.run([squall, "import", "envoy", files["bootstrap"], "--into", files["services"], "-o", files["imported"], "--quiet"], check=True)
            sims = [simulated(squall, files, seed) for seed in range(1, SEEDS + 1)]
            # A machine that was busy for a moment is given a second chance.
            for seeds in ((1, 2), (3, 4)):
                same = compare(name, [real(squall, envoy, files, seed) for seed in seeds], sims)
                if same:
                    break
                if seeds == (1, 2):
                    print(f"     {name} is stormed once more")
            agreed &= same
    sys.exit(0 if agreed else 1)


main()
