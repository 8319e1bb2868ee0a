"""Does `up` start all or nothing, and is nothing stopped that somebody else started?"""

from __future__ import annotations

import os
import socket
import threading

import psutil
import pytest

from services.common.errors import ConfigurationError
from services.local.supervisor import Program, Supervisor, status
from tests.local.conftest import free_port, interrupt, wait_for


def test_up_starts_down_stops_and_a_second_up_leaves_what_runs(toys):
    shop = toys("first", "second", "store")
    code, output = shop.done("up")
    assert code == 0, output
    assert shop.alive() == {"first", "second"}
    code, output = shop.done("up")
    assert code == 0 and output.count("was running") == 2
    code, output = shop.done("down")
    assert "stopped second, first" in output
    assert shop.alive() == set()


def test_a_failed_up_stops_what_it_started_and_says_so(toys):
    shop = toys("first", "broken", "store")
    code, output = shop.done("up")
    assert code == 1
    assert "broken ended" in output and "toy: nothing to serve" in output
    assert "stopped what this command had started: first" in output
    assert "Traceback" not in output
    assert shop.alive() == set()


def test_a_failed_up_leaves_what_ran_before(toys):
    shop = toys("first", "broken", "store")
    own = Supervisor(shop.run)
    (first,) = [Program(name, name, f"127.0.0.1:{shop.ports[name]}", is_grpc=False) for name in ["first"]]
    own.start([first], shop.environment)
    code, _ = shop.done("up")
    assert code == 1
    assert shop.alive() == {"first"}
    assert own.stop_own() == [first]


@pytest.mark.parametrize("speaks_http", [True, False], ids=["http", "silent"])
def test_a_foreign_server_on_a_port_is_named_and_nothing_is_started(toys, speaks_http):
    shop = toys("first", "second", "store")
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", shop.ports["second"]))
        foreign.listen()
        code, output = shop.done("up")
    assert code == 1
    assert f"127.0.0.1:{shop.ports['second']} is taken by another process, and second needs it" in output
    assert shop.alive() == set()
    assert not list(shop.run.glob("*.pid"))


def test_ctrl_c_while_starting_leaves_nothing(toys):
    shop = toys("first", "deaf", "store")
    process = shop.command("up")
    wait_for(lambda: bool(shop.alive()))
    interrupt(process)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert shop.alive() == set()


def test_a_pid_that_was_given_to_somebody_else_is_not_signalled(tmp_path):
    supervisor = Supervisor(tmp_path)
    program = Program("toy", "toy", f"127.0.0.1:{free_port()}", is_grpc=False)
    started = psutil.Process().create_time() - psutil.boot_time()
    (tmp_path / "toy.pid").write_text(f"{os.getpid()} {started - 1:.2f}\n")
    assert supervisor.pid(program) is None
    assert supervisor.stop([program]) == []


def test_what_was_restarted_by_somebody_else_is_not_stopped(toys):
    shop = toys("first", "store")
    program = Program("first", "first", f"127.0.0.1:{shop.ports['first']}", is_grpc=False)
    mine, other = Supervisor(shop.run), Supervisor(shop.run)
    mine.start([program], shop.environment)
    mine.wait_ready([program])
    assert other.stop([program]) == [program]
    other.start([program], shop.environment)
    assert mine.stop_own() == []
    wait_for(lambda: shop.alive() == {"first"})
    assert other.stop_own() == [program]


def test_a_server_that_speaks_no_http_is_not_taken_for_a_storefront():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail\r\n")

        greeting = threading.Thread(target=greet)
        greeting.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert status(Program("toy", "toy", address, is_grpc=False)) == "NOT_SERVING"
        greeting.join()


def test_waiting_for_a_program_that_ended_shows_its_last_lines(toys):
    shop = toys("broken", "store")
    program = Program("broken", "broken", f"127.0.0.1:{shop.ports['broken']}", is_grpc=False)
    supervisor = Supervisor(shop.run)
    supervisor.start([program], shop.environment)
    with pytest.raises(ConfigurationError, match=r"broken ended(.|\n)*toy: nothing to serve"):
        supervisor.wait_ready([program])
    assert supervisor.stop_own() == []
