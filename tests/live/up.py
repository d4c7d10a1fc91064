"""For the scripts beside it: a `squall up` to talk to, from its start to its end."""

import json
import subprocess
import urllib.request


class Up:
    """The services of a topology while the `with` block lasts."""

    def __init__(self, squall, *arguments):
        self.command = [squall, "--quiet", "up", *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.services = {}
        for line in self.process.stdout:
            if line == "ready\n":
                break
            name, url = line.split()
            self.services[name] = url
        _, self.control, _, self.token = self.process.stderr.readline().split()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def desk(self, method, path, body=None):
        """What the control desk answers."""
        request = urllib.request.Request(
            self.control + path,
            method=method,
            data=None if body is None else body.encode(),
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def get(self, service, path):
        """The body that a service answers with."""
        with urllib.request.urlopen(self.services[service] + path, timeout=5) as answer:
            return answer.read().decode()
