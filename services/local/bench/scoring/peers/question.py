"""What does a request to MLServer look like on the wire?

`python question.py INPUTS.npz REQUEST.binpb`, in MLServer's own environment: writes the inputs as a
ModelInferRequest of the Open Inference Protocol with raw contents, its cheapest form.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from mlserver.grpc import dataplane_pb2

DATATYPES = {"float32": "FP32", "int64": "INT64"}


def main() -> None:
    message = dataplane_pb2.ModelInferRequest(model_name="click")
    with np.load(sys.argv[1]) as arrays:
        for name, array in arrays.items():
            message.inputs.add(name=name, datatype=DATATYPES[array.dtype.name], shape=array.shape)
            message.raw_input_contents.append(array.tobytes())
    Path(sys.argv[2]).write_bytes(message.SerializeToString())


if __name__ == "__main__":
    main()
