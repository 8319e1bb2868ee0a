"""What can be configured in every service, and how is a mistake in the environment found?"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.client import IN_PROCESS
from services.common.errors import ConfigurationError

S = TypeVar("S", bound="ServiceSettings")

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")

# Kubernetes sets these for every Service of the namespace; they are not ours.
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP)(_.*)?)$")


class ServiceSettings(BaseSettings):
    """Settings that all services share; each field is `PLANOGRAM_<SERVICE>_<FIELD>`."""

    model_config = SettingsConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    listen: str
    """Address of the gRPC server, host:port; port 0 takes a free one."""
    metrics_listen: str = ""
    """Address of the Prometheus endpoint, host:port; empty switches it off. Worker n uses port + n."""
    workers: int = Field(1, ge=1, le=64)
    """Processes that share the port through SO_REUSEPORT."""
    max_concurrent_rpcs: int = Field(256, ge=1)
    """Calls in flight per process beyond which new ones are refused with RESOURCE_EXHAUSTED."""
    max_message_bytes: int = Field(16 << 20, ge=1 << 16)
    """Largest message sent or received."""
    max_connection_age_s: float = Field(0.0, ge=0)
    """Age at which connections are closed so that clients find new replicas; 0 is never."""
    drain_s: float = Field(10.0, ge=0)
    """Time that calls in flight get to finish after SIGTERM."""
    tokens_path: Path | None = None
    """YAML file of caller tokens; without it every caller is admin, which loopback alone allows."""
    is_anonymous_allowed: bool = False
    """Permits listening off loopback without tokens."""
    is_plaintext_allowed: bool = False
    """Permits listening off loopback without TLS."""
    tls_cert_path: Path | None = None
    """Server certificate chain, PEM; refused where it has expired."""
    tls_key_path: Path | None = None
    """Server private key, PEM."""
    tls_client_ca_path: Path | None = None
    """Certificate authority of callers, PEM: they must show a certificate then. Needs tls_cert_path."""
    upstream_token: SecretStr = SecretStr("")
    """Token that this service shows to the services it calls."""
    upstream_ca_path: Path | None = None
    """Certificate authority of the services it calls, PEM; without it calls are plaintext."""
    upstream_cert_path: Path | None = None
    """Certificate that this service shows to the services it calls, PEM. Needs upstream_ca_path."""
    upstream_key_path: Path | None = None
    """Private key of upstream_cert_path, PEM."""
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    """Least severe level that is logged."""
    log_format: str = Field("auto", pattern="^(auto|json|console)$")
    """json, console, or auto: console on a terminal."""

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not _is_host_port(value, least_port=0):
            raise ValueError(f"want host:port, got {value!r}")
        return value

    @field_validator("*")
    @classmethod
    def _is_target(cls, value: Any, info: ValidationInfo) -> Any:
        if (info.field_name or "").endswith("_target") and value != IN_PROCESS and not _is_host_port(value):
            raise ValueError(f"want host:port, such as feature:7071, or {IN_PROCESS}; got {value!r}")
        return value

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of a field."""
        return f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    @property
    def listen_host(self) -> str:
        return self.listen.rpartition(":")[0]

    @property
    def is_loopback(self) -> bool:
        return self.listen_host in LOOPBACK_HOSTS


def _is_host_port(text: str, least_port: int = 1) -> bool:
    host, _, port = text.removeprefix("dns:///").rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not least_port <= int(port) < 65536:
        return False
    is_bracketed = host.startswith("[") and host.endswith("]")
    return is_bracketed or re.fullmatch(r"[^\s/:\[\]]+", host) is not None


def load(kind: type[S], **overrides: Any) -> S:
    """The settings of the environment.

    Raises:
        ConfigurationError: for a bad value, or a variable with the service's prefix that no field
            reads; the message names the variable.
    """
    prefix = str(kind.model_config.get("env_prefix", ""))
    fields = {f"{prefix}{name}".upper() for name in kind.model_fields}
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(prefix.upper())
        and name.upper() not in fields
        and not _SERVICE_LINK.search(name)
    )
    if unknown:
        raise ConfigurationError(f"unknown setting {', '.join(unknown)}; known: {', '.join(sorted(fields))}")
    try:
        return kind(**overrides)
    except ValidationError as error:
        lines = (
            f"{kind.variable('_'.join(map(str, problem['loc'])))}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigurationError("; ".join(lines)) from None
