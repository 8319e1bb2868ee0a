"""Makes the generated code beside the protos: `python protos/generate.py [target folder]`.

Run it with the oldest supported generator, which tests/requirements.txt pins.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent


def generate(target: Path) -> None:
    """Writes *_pb2.py and *_pb2.pyi for every proto, and *_pb2_grpc.py where it has a service."""
    protos = sorted(ROOT.glob("planogram/*/v1/*.proto"))
    services = [proto for proto in protos if "\nservice " in proto.read_text()]
    include = [f"-I{ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
    runs = (
        [f"--python_out={target}", f"--pyi_out={target}", *map(str, protos)],
        [f"--grpc_python_out={target}", *map(str, services)],
    )
    for arguments in runs:
        if protoc.main(["protoc", *include, *arguments]) != 0:
            raise SystemExit("protoc failed")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
