"""Does a server say when it is ready, survive its clients, and stop without dropping a call?"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import os
import signal
import socket
import subprocess
import sys
import time

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from services.common import server, settings
from services.common.errors import ConfigurationError
from services.common.server import serving
from services.layout.settings import LayoutSettings

FULL_NAME = "planogram.policy.v1.PolicyService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def stub(channel):
    return policy_pb2_grpc.PolicyServiceStub(channel)


async def health(channel, name=""):
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    return answer.status


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def test_health_is_serving_only_when_the_servicer_is_open(echo_service, echo_settings, echo):
    may_open = asyncio.Event()

    @contextlib.asynccontextmanager
    async def slow_open(given):
        await may_open.wait()
        yield echo

    port = free_port()
    slow = dataclasses.replace(echo_service, open=slow_open)
    stop = asyncio.Event()

    async def hold():
        async with serving(slow, echo_settings(listen=f"127.0.0.1:{port}")):
            await stop.wait()

    task = asyncio.create_task(hold())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        assert await health(channel) == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        may_open.set()
        for _ in range(200):
            if await health(channel) == SERVING:
                break
            await asyncio.sleep(0.01)
        assert await health(channel, FULL_NAME) == SERVING
        await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest())
    stop.set()
    await task


async def test_reflection_answers_the_symbol_that_ghz_asks_for(echo_service, echo_settings):
    async with serving(echo_service, echo_settings()) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo

            async def ask(symbol):
                question = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
                async for answer in reflect(iter([question])):
                    return answer

            for symbol in (FULL_NAME, f"{FULL_NAME}.PlanPage"):
                answer = await ask(symbol)
                assert answer.HasField("file_descriptor_response"), symbol
                assert any(
                    b"PlanPage" in file for file in answer.file_descriptor_response.file_descriptor_proto
                )
            assert (await ask(f"{FULL_NAME}.NoSuchMethod")).error_response.error_code == 5
            assert (await ask("no.such.Service.Method")).error_response.error_code == 5


async def test_a_request_comes_as_the_open_servicer_takes_it(echo_service, echo_settings):
    async with (
        serving(echo_service, echo_settings()) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        answer = await stub(channel).PlanPage(policy_pb2.PlanPageRequest(policy_version="a"))
        assert answer.policy_version == "a"
        assert await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest()) == policy_pb2.GetPolicyResponse()


async def test_a_stop_lets_the_call_in_flight_finish(echo_service, echo_settings, echo):
    begun = asyncio.Event()

    async def slow(context):
        begun.set()
        await asyncio.sleep(0.3)

    echo.behaviour = slow
    async with contextlib.AsyncExitStack() as clients:
        async with serving(echo_service, echo_settings()) as port:
            channel = await clients.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
            call = asyncio.ensure_future(stub(channel).GetPolicy(policy_pb2.GetPolicyRequest()))
            await begun.wait()
        assert await call == policy_pb2.GetPolicyResponse()


async def test_a_taken_port_is_refused(echo_service, echo_settings):
    async with serving(echo_service, echo_settings()) as port:
        want = f"PLANOGRAM_ECHO_LISTEN: cannot listen on 127.0.0.1:{port}: another process listens there"
        with pytest.raises(ConfigurationError, match=want):
            async with serving(echo_service, echo_settings(listen=f"127.0.0.1:{port}")):
                pass


async def test_an_address_of_another_machine_is_refused_with_the_systems_reason(echo_service, echo_settings):
    with pytest.raises(ConfigurationError, match="Cannot assign requested address"):
        async with serving(echo_service, echo_settings(listen="192.0.2.1:7099")):
            pass


@pytest.mark.slow
async def test_a_client_that_pings_every_ten_seconds_keeps_its_connection(echo_service, echo_settings):
    options = (
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )
    states = []
    async with serving(echo_service, echo_settings()) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest())
            end_s = time.monotonic() + 42
            while time.monotonic() < end_s:
                states.append(channel.get_state())
                await asyncio.sleep(0.2)
            await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest())
    assert set(states) == {grpc.ChannelConnectivity.READY}


def certificate(name, issuer=None, days=(-1, 1)):
    """A key and certificate, PEM: an authority where no issuer is given; good from and to so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    issuer_key, issuer_name = issuer or (key, subject)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (key, subject), private, built.public_bytes(pem)


async def test_mutual_tls_admits_only_callers_with_a_certificate(echo_service, echo_settings, tmp_path):
    authority, _, ca = certificate("authority")
    _, server_key, server_cert = certificate("localhost", authority)
    _, client_key, client_cert = certificate("caller", authority)
    paths = {}
    for name, content in (("ca", ca), ("key", server_key), ("cert", server_cert)):
        paths[name] = tmp_path / f"{name}.pem"
        paths[name].write_bytes(content)
    secured = echo_settings(
        tls_key_path=paths["key"], tls_cert_path=paths["cert"], tls_client_ca_path=paths["ca"]
    )
    server.check_exposure(secured)
    async with serving(echo_service, secured) as port:
        good = grpc.ssl_channel_credentials(ca, client_key, client_cert)
        async with grpc.aio.secure_channel(f"localhost:{port}", good) as channel:
            await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest(), timeout=5)
        for credentials in (grpc.ssl_channel_credentials(ca), None):
            opened = (
                grpc.aio.secure_channel(f"localhost:{port}", credentials)
                if credentials
                else grpc.aio.insecure_channel(f"localhost:{port}")
            )
            async with opened as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await stub(channel).GetPolicy(policy_pb2.GetPolicyRequest(), timeout=2)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "PLANOGRAM_ECHO_LISTEN: .* set PLANOGRAM_ECHO_TLS_CERT_PATH"),
        ({"is_plaintext_allowed": True}, "set PLANOGRAM_ECHO_TOKENS_PATH"),
    ],
)
def test_listening_off_loopback_is_refused_until_it_is_safe_or_waived(echo_settings, given, named):
    with pytest.raises(ConfigurationError, match=named):
        server.check_exposure(echo_settings(listen="0.0.0.0:7099", **given))


@pytest.fixture
def pem(tmp_path):
    """Files that a mistake could name: a good pair, another key, and what is no PEM."""
    _, key, cert = certificate("localhost")
    _, other, _ = certificate("other")
    contents = {"key": key, "cert": cert, "other": other, "junk": b"\x00junk\xff", "empty": b""}
    authority, _, _ = certificate("authority")
    for name, days in (("past", (-3, -1)), ("next", (1, 3))):
        _, contents[f"{name}_key"], contents[name] = certificate("localhost", authority, days)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in (*contents, "missing")}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tls_cert_path": "cert"}, "TLS_CERT_PATH and PLANOGRAM_ECHO_TLS_KEY_PATH go together"),
        ({"tls_cert_path": "junk", "tls_key_path": "key"}, "TLS_CERT_PATH: .*junk: no certificate in PEM"),
        ({"tls_cert_path": "empty", "tls_key_path": "key"}, "TLS_CERT_PATH: .*empty: no certificate in PEM"),
        ({"tls_cert_path": "missing", "tls_key_path": "key"}, "TLS_CERT_PATH: .*missing: No such file"),
        ({"tls_cert_path": "cert", "tls_key_path": "junk"}, "TLS_KEY_PATH: .*junk: no private key in PEM"),
        ({"tls_cert_path": "cert", "tls_key_path": "other"}, "TLS_KEY_PATH: .*other is not the key of"),
        ({"tls_client_ca_path": "junk"}, "TLS_CLIENT_CA_PATH: .*junk: no certificate in PEM"),
        ({"upstream_ca_path": "key"}, "UPSTREAM_CA_PATH: .*key: no certificate in PEM"),
        ({"upstream_key_path": "key"}, "UPSTREAM_CERT_PATH and PLANOGRAM_ECHO_UPSTREAM_KEY_PATH go together"),
        ({"tokens_path": "missing"}, "TOKENS_PATH: .*missing: No such file"),
        (
            {"tls_cert_path": "past", "tls_key_path": "past_key"},
            "TLS_CERT_PATH: .*past: .* has expired; nobody",
        ),
        (
            {"tls_cert_path": "next", "tls_key_path": "next_key"},
            "TLS_CERT_PATH: .*next: .* not yet valid; nobody",
        ),
        (
            {"upstream_cert_path": "past", "upstream_key_path": "past_key"},
            "UPSTREAM_CERT_PATH: .*past: .* has expired; nobody",
        ),
        (
            {"tls_client_ca_path": "cert"},
            "TLS_CLIENT_CA_PATH is of no use without PLANOGRAM_ECHO_TLS_CERT_PATH",
        ),
        (
            {"upstream_cert_path": "cert", "upstream_key_path": "key"},
            "UPSTREAM_CERT_PATH is of no use without PLANOGRAM_ECHO_UPSTREAM_CA_PATH",
        ),
    ],
)
def test_a_certificate_or_key_that_is_none_is_named(echo_settings, pem, given, message):
    settings = echo_settings(**{field: pem[name] for field, name in given.items()})
    with pytest.raises(ConfigurationError, match=f"PLANOGRAM_ECHO_{message}"):
        server.check_exposure(settings)


def test_a_key_with_a_password_is_refused_without_asking_for_it(echo_settings, pem):
    key = serialization.load_pem_private_key(pem["key"].read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    pem["key"].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    with pytest.raises(ConfigurationError, match=r"PLANOGRAM_ECHO_TLS_KEY_PATH: .*key"):
        server.check_exposure(echo_settings(tls_cert_path=pem["cert"], tls_key_path=pem["key"]))


@pytest.mark.parametrize(
    "target",
    [
        *("", "feature", "7071", ":7071", "feature:", "feature:grpc", "feature:0", "feature:70710"),
        *("http://feature:7071", "feature:7071/x", "a b:7071", "::1:7071"),
    ],
)
def test_a_target_that_is_no_host_and_port_is_refused_at_start(monkeypatch, target):
    monkeypatch.setenv("PLANOGRAM_LAYOUT_FEATURE_TARGET", target)
    with pytest.raises(ConfigurationError, match=r"PLANOGRAM_LAYOUT_FEATURE_TARGET: .*want host:port"):
        settings.load(LayoutSettings)


@pytest.mark.parametrize(
    "target", ["in-process", "feature:7071", "10.0.0.1:7071", "[::1]:7071", "dns:///f:7"]
)
def test_a_target_of_host_and_port_is_taken(monkeypatch, target):
    monkeypatch.setenv("PLANOGRAM_LAYOUT_FEATURE_TARGET", target)
    assert settings.load(LayoutSettings).feature_target == target


def test_listening_off_loopback_is_allowed_once_waived(echo_settings):
    server.check_exposure(
        echo_settings(listen="0.0.0.0:7099", is_plaintext_allowed=True, is_anonymous_allowed=True)
    )


def test_an_unknown_variable_with_the_services_prefix_is_an_error(echo_settings, monkeypatch):
    monkeypatch.setenv("PLANOGRAM_ECHO_LISTNE", "x")
    with pytest.raises(ConfigurationError, match="PLANOGRAM_ECHO_LISTNE"):
        settings.load(echo_settings)


def test_kubernetes_service_links_are_ignored(echo_settings, monkeypatch):
    monkeypatch.setenv("PLANOGRAM_ECHO_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("PLANOGRAM_ECHO_PORT_7070_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("PLANOGRAM_ECHO_PORT", "tcp://10.0.0.1:7070")
    settings.load(echo_settings)


def test_a_bad_value_names_its_variable(echo_settings, monkeypatch):
    monkeypatch.setenv("PLANOGRAM_ECHO_WORKERS", "none")
    with pytest.raises(ConfigurationError, match="PLANOGRAM_ECHO_WORKERS"):
        settings.load(echo_settings)


def test_workers_share_one_port_and_end_together(tmp_path):
    port = free_port()
    environment = {
        **os.environ,
        "PLANOGRAM_LAYOUT_LISTEN": f"127.0.0.1:{port}",
        "PLANOGRAM_LAYOUT_WORKERS": "2",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen([sys.executable, "-m", "services.layout"], cwd=tmp_path, env=environment)
    try:
        segments = tmp_path / "var/log/segments"
        end_s = time.monotonic() + 120  # a first start compiles
        while len(list(segments.glob("segment-*.sqlite"))) < 2 and time.monotonic() < end_s:
            time.sleep(0.1)
        assert len(list(segments.glob("segment-*.sqlite"))) == 2
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            request = health_pb2.HealthCheckRequest()
            # Segments are there before the worker serves: it waits a second for scoring.
            while (status := check(request, timeout=10, wait_for_ready=True).status) != SERVING:
                assert time.monotonic() < end_s, status
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
