"""2,000 open connections for 60 s, slow clients of three kinds, and 10,000 requests: everybody is served or cut off in
time, and no descriptor and no memory is left behind."""

import http.client
import os
import resource
import selectors
import socket
import sys
import time

from up import Up

OPEN = 2000
HOLD_S = 60
# A server waits for a head and for a body for ten seconds each.
CUT_OFF_S = 14
REQUESTS = 10_000
HEAD = "GET /api/feed HTTP/1.1\r\nhost: a\r\n"
BODY = "POST /api/posts HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc"


def address(url):
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def requests(where, count, at_once=50):
    """So many requests, so many at once, over as many connections."""
    connections = [http.client.HTTPConnection(*where, timeout=10) for _ in range(min(count, at_once))]
    for _ in range(count // len(connections)):
        for connection in connections:
            connection.request("GET", "/api/users/1/profile")
        for connection in connections:
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
    for connection in connections:
        connection.close()


def settle(pid, wanted=0, patience_s=12):
    """Waits for idle connections to be closed: until there are no more descriptors than wanted, or for so long."""
    end = time.monotonic() + patience_s
    while descriptors(pid) > wanted and time.monotonic() < end:
        time.sleep(0.2)
    return descriptors(pid)


def slow_clients(where):
    """Each kind is cut off in its time."""
    kinds = {"silent": "", "half a head": HEAD + "x-", "a body that never comes": BODY}
    sockets = {}
    began = time.monotonic()
    for kind, text in kinds.items():
        for _ in range(20):
            client = socket.create_connection(where)
            client.sendall(text.encode())
            client.setblocking(False)
            sockets[client] = kind
    selector = selectors.DefaultSelector()
    for client in sockets:
        selector.register(client, selectors.EVENT_READ)
    last = {}
    while selector.get_map():
        assert time.monotonic() - began < CUT_OFF_S, f"not cut off: {len(selector.get_map())} slow clients"
        for key, _ in selector.select(timeout=1):
            try:
                data = key.fileobj.recv(4096)
            except ConnectionResetError:
                data = b""
            if not data:
                last[sockets[key.fileobj]] = time.monotonic() - began
                selector.unregister(key.fileobj)
                key.fileobj.close()
    for kind, after in last.items():
        print(f"20 slow clients ({kind}) were cut off, the last after {after:.1f} s")


def many(where, pid):
    """Connections that are kept open by a request now and then; others are served meanwhile."""
    began = time.monotonic()
    clients = [socket.create_connection(where) for _ in range(OPEN)]
    request = (HEAD.replace("/api/feed", "/health") + "\r\n").encode()
    rounds = 0
    while time.monotonic() - began < HOLD_S:
        for client in clients:
            client.sendall(request)
        for client in clients:
            client.settimeout(10)
            assert client.recv(4096).startswith(b"HTTP/1.1 200"), "one of many connections was not served"
        rounds += 1
        asked = time.monotonic()
        requests(where, 1)
        assert time.monotonic() - asked < 2, "others have to wait"
        time.sleep(5)
    print(f"{OPEN} connections for {time.monotonic() - began:.0f} s: {rounds} rounds, all served; "
          f"{descriptors(pid)} descriptors, {resident_kib(pid)} KiB")
    for client in clients:
        client.close()


def main(squall):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    with Up(squall, "social") as up:
        where, pid = address(up.services["gateway"]), up.process.pid
        requests(where, 500)
        before = settle(pid)
        requests(where, REQUESTS // 2)
        half = resident_kib(pid)
        requests(where, REQUESTS // 2)
        after, memory = settle(pid, before), resident_kib(pid)
        print(f"{REQUESTS} requests: {before} descriptors before, {after} after; "
              f"{half} KiB after half of them, {memory} KiB after all")
        assert after <= before, "descriptors are left behind"
        assert memory <= half + 1024, "memory is left behind"
        slow_clients(where)
        many(where, pid)
        left = settle(pid, before)
        print(f"afterwards {left} descriptors")
        assert left <= before, "descriptors are left behind"


if __name__ == "__main__":
    main(*sys.argv[1:])
