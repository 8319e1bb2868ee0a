"""Where does a model server live whose pins are not ours?

MLServer asks for releases of gRPC and protobuf of its own, so it has a virtual environment that shares
nothing with this one but the release of ONNX Runtime: both sides run the same kernels.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import onnxruntime

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = Path(".venv-mlserver")


def main() -> None:
    """Makes the environment: `python -m services.local.bench.scoring.peers.environment FOLDER`."""
    folder = Path(sys.argv[1])
    venv.create(folder, with_pip=True)
    wanted = ["-r", str(REQUIREMENTS), f"onnxruntime=={onnxruntime.__version__}"]
    subprocess.run(  # noqa: S603 - this interpreter's own pip
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *wanted], check=True
    )


if __name__ == "__main__":
    main()
