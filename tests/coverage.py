"""Reads an lcov file: prints line coverage by crate and the lines that nothing ran. Exit code 1 below 95 % of a crate."""

import collections
import pathlib
import sys

LEAST = 95
CRATES = ["policies", "model", "engine", "telemetry"]


def counted(path):
    """The numbers of a file's lines that count: those before its module of tests, which comes last."""
    lines = path.read_text().splitlines()
    tests = [i for i, line in enumerate(lines[:-1]) if line == "#[cfg(test)]" and lines[i + 1].startswith("mod tests {")]
    return lines, tests[0] if tests else len(lines)


def main():
    root = pathlib.Path.cwd()
    runs = collections.defaultdict(lambda: collections.defaultdict(int))
    file = None
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        if line.startswith("SF:"):
            file = pathlib.Path(line[3:])
        elif line.startswith("DA:"):
            number, count = line[3:].split(",")[:2]
            runs[file][int(number)] += int(count)
    all_lines, ran = collections.Counter(), collections.Counter()
    for file, counts in sorted(runs.items()):
        if not file.is_relative_to(root):
            continue
        crate, *way = file.relative_to(root).parts
        if crate not in CRATES or way[0] != "src" or file.stem in ("tests", "testing") or "tests" in way:
            continue
        lines, end = counted(file)
        for number, count in sorted(counts.items()):
            if number <= end:
                all_lines[crate] += 1
                ran[crate] += count > 0
                if count == 0:
                    print(f"{file.relative_to(root)}:{number}: {lines[number - 1].strip()}")
    failed = False
    for crate in CRATES:
        share = 100 * ran[crate] / max(all_lines[crate], 1)
        failed |= share < LEAST
        print(f"{crate:10} {ran[crate]:6} of {all_lines[crate]:6} lines  {share:6.2f} %")
    sys.exit(failed)


main()
