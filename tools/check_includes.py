#!/usr/bin/env python3
"""Reads every include of the program against the arrows that docs/architecture.md allows, and names each that climbs.

    tools/check_includes.py [--count]

--count prints files and arrows for each folder instead. A folder, or a sub-folder of runtime/ and launch/, may include
itself, common/, and what stands behind its name below; `.ci/run` calls this.
"""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Who may include whom. What lies directly in runtime/ or launch/ stands under "runtime" and "launch".
BELOW_RUNTIME = {"comm", "model", "partition"}
RUNTIME = {
    "runtime/config": {"partition"},
    "runtime/device": BELOW_RUNTIME,
    "runtime/request": {"model"},
    "runtime/schedule": {"comm", "partition"},
    "runtime/networks": {"model", "partition"},
    "runtime/observe": {"comm", "partition", "runtime/schedule"},
    "runtime/plan": BELOW_RUNTIME | {"runtime/device", "runtime/networks", "runtime/request", "runtime/schedule"},
    "runtime/phases": BELOW_RUNTIME
    | {"runtime/device", "runtime/networks", "runtime/observe", "runtime/request", "runtime/schedule"},
}
RUNTIME["runtime"] = BELOW_RUNTIME | set(RUNTIME)
BELOW_RESULTS = set(RUNTIME) | BELOW_RUNTIME | {"media"}
BELOW_SESSION = BELOW_RESULTS | {"results"}
BELOW_LAUNCH = BELOW_SESSION | {"session"}
ALLOWED = {
    "common": set(),
    "partition": set(),
    "comm": set(),
    "media": set(),
    "model": set(),
    **RUNTIME,
    "results": BELOW_RESULTS,
    "session": BELOW_SESSION,
    "launch/keeper": {"comm"},
    "launch/options": BELOW_LAUNCH,
    "launch/terminal": BELOW_LAUNCH,
    "launch/report_page": BELOW_LAUNCH,
    "launch/commands": BELOW_LAUNCH | {"launch/options", "launch/terminal", "launch/report_page"},
    "launch": BELOW_LAUNCH | {"launch/commands", "launch/options", "launch/terminal"},
}


def place(path: str) -> str:
    """The folder that a file belongs to, as ALLOWED names it."""
    parts = path.split("/")
    inner = "/".join(parts[:2])
    return inner if len(parts) > 2 and inner in ALLOWED else parts[0]


def includes() -> list[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True)
    found = []
    for name in listed.stdout.splitlines():
        if place(name) not in ALLOWED or not re.search(r"\.(h|cpp|cu|cuh)$", name) or not (ROOT / name).exists():
            continue
        for included in re.findall(r'^#include "([^"]+)"', (ROOT / name).read_text(encoding="utf-8"), re.M):
            found.append((name, included))
    return found


def main() -> int:
    arrows = includes()
    if "--count" in sys.argv[1:]:
        units, inside = defaultdict(set), defaultdict(set)
        for name, included in arrows:
            units[place(name)].add(re.sub(r"\.\w+$", "", name))
            a, b = (re.sub(r"\.\w+$", "", path) for path in (name, included))
            if a != b and place(a) == place(b):
                inside[place(name)].add((a, b))
        for folder in sorted(units):
            print(f"{folder:20} {len(units[folder]):3} units {len(inside[folder]):3} arrows inside")
        return 0
    climbing = []
    for name, included in arrows:
        origin, target = place(name), place(included)
        if target not in (origin, "common") and target not in ALLOWED[origin]:
            climbing.append(f"{name} includes {included}, but {origin}/ may not know {target}/")
    print("\n".join(climbing) or f"{len(arrows)} includes follow the allowed arrows")
    return 1 if climbing else 0


if __name__ == "__main__":
    sys.exit(main())
