"""What does gRPC itself cost at these sizes? A server that answers as many bytes as ScoreItems does.

`python -m services.local.bench.scoring.echo PORT SIZE`
"""

from __future__ import annotations

import sys
from typing import Any

import grpc
import uvloop

METHOD = "/echo/Echo"


async def serve(port: int, size_bytes: int) -> None:
    """Answers `size_bytes` of nothing, whatever is asked, until it is ended."""
    answer = bytes(size_bytes)

    async def echo(request: bytes, context: Any) -> bytes:
        return answer

    handler = grpc.method_handlers_generic_handler(
        "echo", {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    )
    server = grpc.aio.server(handlers=[handler])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
