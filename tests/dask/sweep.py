"""A sweep on a Dask cluster of two workers, one of which is killed in the middle: what is merged must be, byte for byte,
what one machine finds. Usage: sweep.py SQUALL FOLDER"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dask.distributed import Client, LocalCluster, as_completed

SHARDS = 24
SWEEP = [
    "cascade-breaker",
    "--set", "services.order.workers=1..60:1",
    "--set", "services.order.calls.inventory.timeout=100ms..600ms:100ms",
    "--seeds", "4",
]


def shard(squall, number, store):
    """Runs one shard; a shard that was cut off and comes again does only what is not there yet."""
    command = [squall, "sweep", *SWEEP, "--threads", "1", "--shard", f"{number}/{SHARDS}", "--store", store, "--quiet"]
    subprocess.run(command, check=True)
    return number


def worker_pid():
    return os.getpid()


def kill_with_children(pid):
    """As a machine that loses power: the worker and what it runs."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    for each in [pid, *map(int, children)]:
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            pass


def main():
    squall, folder = sys.argv[1], Path(sys.argv[2])
    store = str(folder / "shards")
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1")
    with cluster, Client(cluster) as client:
        pids = client.run(worker_pid)
        futures = [client.submit(shard, squall, number, store, pure=False) for number in range(1, SHARDS + 1)]
        done, killed = 0, None
        for future in as_completed(futures):
            future.result()
            done += 1
            if killed is None and done >= SHARDS // 4:
                killed = next(iter(pids.values()))
                kill_with_children(killed)
        assert killed is not None and done == SHARDS, (killed, done)
    print(f"{done} shards on two workers, worker {killed} killed after {SHARDS // 4}")
    subprocess.run([squall, "sweep", "merge", store, "--jsonl", folder / "merged.jsonl", "--quiet"], check=True)
    began = time.monotonic()
    subprocess.run([squall, "sweep", *SWEEP, "--jsonl", folder / "alone.jsonl", "--quiet"], check=True)
    merged, alone = (folder / "merged.jsonl").read_bytes(), (folder / "alone.jsonl").read_bytes()
    assert merged == alone, "the cluster found something else than one machine"
    lines = merged.count(b"\n")
    print(f"{lines} runs are the same, byte for byte ({len(merged)} bytes; alone in {time.monotonic() - began:.1f} s)")


if __name__ == "__main__":
    main()
