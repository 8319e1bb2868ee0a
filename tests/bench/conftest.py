"""Tests of other libraries run where `make test-peers` installed them; elsewhere they are no tests."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = {
    "test_peer_libraries.py": ("d3rlpy", "stable_baselines3", "vowpalwabbit"),
    "test_click_peer_libraries.py": ("deepctr_torch", "lightgbm", "sklearn", "torch_rechub"),
    "test_text_peer_libraries.py": ("wordllama",),
}

collect_ignore = [file for file, packages in PACKAGES.items() if not all(map(find_spec, packages))]
