"""Tests of other libraries run where `make test-peers` installed them; elsewhere they are no tests."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = ("d3rlpy", "stable_baselines3", "vowpalwabbit")

collect_ignore = [] if all(map(find_spec, PACKAGES)) else ["test_peer_libraries.py"]
