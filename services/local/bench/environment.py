"""Where do packages live that would change the pins of everything else?

d3rlpy asks for one release of Gymnasium alone. So the libraries that benchmarks compare with have a virtual
environment of their own, which reads whatever is installed beside it and holds only what differs.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

REQUIREMENTS = tuple(
    Path(__file__).parent / name
    for name in ("policy/peers/requirements.txt", "click/peers/requirements.txt", "text/requirements.txt")
)
"""Each beside the benchmark that wants it; one environment serves all."""
LET_GO = ("gymnasium", "setuptools")
"""Packages of which the peers may need other releases than everything else."""


def main() -> None:
    """Makes the environment: `python -m services.local.bench.environment FOLDER CONSTRAINTS`."""
    folder, constraints = Path(sys.argv[1]), Path(sys.argv[2])
    venv.create(folder, with_pip=True)
    beside = sysconfig.get_path("purelib")
    own = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (own / "beside.pth").write_text(f"import site; site.addsitedir({beside!r})\n")
    kept = folder / "constraints.txt"
    kept.write_text(constraints_for_peers(constraints.read_text()))
    wanted = [word for path in REQUIREMENTS for word in ("-r", str(path))]
    subprocess.run(  # noqa: S603 - this interpreter's own pip
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", kept, *wanted], check=True
    )


def constraints_for_peers(text: str) -> str:
    """The pins of everything but what the peers need otherwise."""
    lines = (line for line in text.splitlines() if line.partition("==")[0].lower() not in LET_GO)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
