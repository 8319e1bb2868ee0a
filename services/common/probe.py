"""Is a service SERVING? `python -m services.common.probe 127.0.0.1:7070` exits 0 where it is.

For container and Kubernetes probes; TLS by --ca, --cert and --key.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def status(target: str, timeout_s: float = 2.0, credentials: grpc.ChannelCredentials | None = None) -> str:
    """The health status in words: SERVING, NOT_SERVING, or why there is no answer."""
    channel = grpc.secure_channel(target, credentials) if credentials else grpc.insecure_channel(target)
    with channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=timeout_s
            )
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="host:port")
    parser.add_argument("--timeout-s", type=float, default=2.0)
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--cert", type=Path)
    parser.add_argument("--key", type=Path)
    options = parser.parse_args()
    credentials = None
    if options.ca:
        key, cert = (path.read_bytes() if path else None for path in (options.key, options.cert))
        credentials = grpc.ssl_channel_credentials(options.ca.read_bytes(), key, cert)
    found = status(options.target, options.timeout_s, credentials)
    print(found)
    return 0 if found == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main())
