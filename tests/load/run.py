"""How many pages does the running system serve? Runs ghz with compose.json, by reflection alone.

ghz exits 0 even where every call failed, so the codes of its report are what counts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_name("compose.json")
INSTALL = "ghz is not installed; see https://ghz.sh/docs/install, then `make up` and `make load` again"


def main() -> int:
    ghz = shutil.which("ghz")
    if ghz is None:
        print(INSTALL, file=sys.stderr)
        return 1
    command = [ghz, "--config", str(CONFIG), "--format", "json", *sys.argv[1:]]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        print(result.stderr or result.stdout, file=sys.stderr)
        return result.returncode
    report = json.loads(result.stdout)
    codes = report["statusCodeDistribution"]
    print(f"{report['count']} calls, {report['rps']:.0f} a second, codes {codes}")
    for entry in report["latencyDistribution"] or ():
        print(f"  p{entry['percentage']:<3} {entry['latency'] / 1e6:8.2f} ms")
    return 0 if set(codes) == {"OK"} else 1


if __name__ == "__main__":
    sys.exit(main())
