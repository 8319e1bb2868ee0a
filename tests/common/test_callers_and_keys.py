"""Are tokens and secrets read safely, and mistakes in their files named?"""

from __future__ import annotations

import hmac

import pytest

from services.common import callers, pseudonyms
from services.common.callers import Role
from services.common.errors import ConfigurationError, Unauthenticated
from services.common.pseudonyms import Pseudonyms


def test_a_token_is_known_by_its_digest_alone(tmp_path):
    path = tmp_path / "tokens.yaml"
    path.write_text(f"- {{name: shop, role: public, sha256: {callers.digest('secret')}}}\n")
    known = callers.load(path)
    assert known.identify("Bearer secret").role is Role.PUBLIC
    for wrong in (None, "", "secret", "Bearer ", "Bearer other", "Basic secret"):
        with pytest.raises(Unauthenticated):
            known.identify(wrong)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "want a list"),
        ("{}", "want a list"),
        ("- {name: a, role: king, sha256: x}", "entry 1: role"),
        ("- {name: a, role: admin, sha256: short}", "entry 1: sha256"),
        (f"- {{name: a, role: admin, sha256: {'g' * 64}}}", "entry 1: sha256: want 64 hex digits"),
        (
            f"- {{name: a, role: public, sha256: {'a' * 64}}}\n- {{name: b, role: admin, sha256: {'A' * 64}}}",
            "entry 2: sha256: the token of 'a' already",
        ),
        ("- {name: 2026-13-45, role: admin, sha256: x}", "month must be in 1..12"),
        ("- {name: !!bool king, role: admin, sha256: x}", "king"),
        ("- name: \udcff", "codec can't decode byte 0xff"),
        ("[" * 5_000, "recursion"),
        ("- {name: a, role: admin}", "entry 1: want exactly"),
        ("[", "expected the node content"),
    ],
)
def test_a_mistake_in_the_tokens_file_names_file_and_entry(tmp_path, content, named):
    path = tmp_path / "tokens.yaml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match=f"^{path}: .*{named}"):
        callers.load(path)


def test_a_secret_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "keys" / "shopper.key"
    first = pseudonyms.load(path)
    assert path.stat().st_mode & 0o077 == 0
    second = pseudonyms.load(path)
    assert first.of("shopper", "ada") == second.of("shopper", "ada")
    assert first.epoch == second.epoch


def test_pseudonyms_differ_by_id_kind_and_secret():
    one, other = Pseudonyms(b"a" * 32, "1"), Pseudonyms(b"b" * 32, "2")
    keys = {
        one.of("shopper", "ada"),
        one.of("shopper", "bob"),
        one.of("session", "ada"),
        other.of("shopper", "ada"),
    }
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert one.of("shopper", "") == ""


@pytest.mark.parametrize("size", [16, 63, 64, 65, 200])
def test_a_pseudonym_is_an_hmac(size):
    secret = bytes(range(size))
    for identifier in ("u", "shopper-00042", "ü" * 100):
        want = hmac.new(secret, f"shopper\0{identifier}".encode(), "sha256").hexdigest()[:32]
        assert Pseudonyms(secret, "1").of("shopper", identifier) == want


def test_keys_of_earlier_epochs_are_kept_for_deleting_alone(tmp_path):
    path = tmp_path / "shopper.key"
    first = pseudonyms.load(path)
    (tmp_path / "shopper.earlier").mkdir()
    path.rename(tmp_path / "shopper.earlier" / "2026-01.key")
    second = pseudonyms.load(path)
    assert second.epoch != first.epoch
    assert second.of_every_epoch("shopper", "ada") == (
        second.of("shopper", "ada"),
        first.of("shopper", "ada"),
    )
    assert second.of("shopper", "ada") != first.of("shopper", "ada")


def test_a_short_secret_is_refused(tmp_path):
    path = tmp_path / "short.key"
    path.write_text("abc\n")
    with pytest.raises(ConfigurationError, match="16 or more"):
        pseudonyms.load(path)
