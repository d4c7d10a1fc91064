#!/usr/bin/env python3
"""What no schema says of a dashboard: ids are its own, panels do not overlap, and every metric is one that services have.

Writes the expressions of the panels as rules, for promtool. Usage: dashboard.py DASHBOARD ALERTS METRICS_URL RULES
"""

import json
import re
import sys
import urllib.request

dashboard, alerts, url, rules = sys.argv[1:]
panels = json.load(open(dashboard))["panels"]
ids = [panel["id"] for panel in panels]
assert len(ids) == len(set(ids)), f"an id twice: {ids}"
for panel in panels:
    at = panel["gridPos"]
    assert at["x"] + at["w"] <= 24, f"{panel['title']} is beside the grid"
    for other in panels[: panels.index(panel)]:
        to = other["gridPos"]
        apart = (at["x"] >= to["x"] + to["w"] or to["x"] >= at["x"] + at["w"]
                 or at["y"] >= to["y"] + to["h"] or to["y"] >= at["y"] + at["h"])
        assert apart, f"{panel['title']} and {other['title']} overlap"

expressions = [target["expr"].replace("$__rate_interval", "1m") for panel in panels for target in panel["targets"]]
with open(rules, "w") as out:
    out.write("groups:\n  - name: panels\n    rules:\n")
    for number, expression in enumerate(expressions):
        out.write(f"      - {{record: 'panel:{number}', expr: {json.dumps(expression)}}}\n")

served = urllib.request.urlopen(url, timeout=5).read().decode()
there = set(re.findall(r"^# TYPE (\S+)", served, re.M))
text = "\n".join(expressions) + open(alerts).read()
asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bsquall_\w+", text)}
missing = {name for name in asked if name not in there}
assert not missing, f"no service has {sorted(missing)}; they have {sorted(there)}"
print(f"dashboard: {len(panels)} panels, {len(asked)} metrics, all of them served")
