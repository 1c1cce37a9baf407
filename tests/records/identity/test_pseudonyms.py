"""Keyed pseudonyms and what they are kept apart from."""

import hashlib
import hmac
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.identity.pseudonyms import PseudonymError, make_key, pseudonyms, read_key

KEY = bytes(range(32))


@given(ids=st.lists(st.text(min_size=1, max_size=12), max_size=20))
def test_equal_ids_and_only_equal_ids_have_equal_pseudonyms(ids: list[str]) -> None:
    found = pseudonyms(ids, KEY)
    assert all(one.isascii() and one.isalnum() and len(one) == 21 for one in found)
    # Ids that no reader can tell apart are one student's: as many pseudonyms as match keys.
    from records.identity.ids import match_keys  # noqa: PLC0415 - beside what it is compared with

    assert len(set(found)) == len(set(match_keys(ids)))
    assert not set(found) & set(pseudonyms(ids, KEY[::-1]))


def test_it_is_the_hmac_of_the_standard_library() -> None:
    digest = hmac.new(KEY, b"s-1", hashlib.sha256).digest()
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    bits = int.from_bytes(digest, "big") >> (256 - 100)
    expected = "".join(letters[bits >> shift & 31] for shift in range(95, -1, -5))
    assert pseudonyms(["s-1 "], KEY) == [f"p{expected}"]


def test_a_new_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path, apart_from=tmp_path / "out" / "table.csv") == key
    with pytest.raises(PseudonymError, match="never overwritten"):
        make_key(path)
    assert read_key(path, apart_from=tmp_path / "out" / "table.csv") == key


def test_a_key_beside_the_table_or_none_at_all_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    with pytest.raises(PseudonymError, match="keep the key apart"):
        read_key(tmp_path / "key", apart_from=tmp_path / "table.csv")
    elsewhere = tmp_path / "out" / "table.csv"
    with pytest.raises(PseudonymError, match="no such key"):
        read_key(tmp_path / "none", apart_from=elsewhere)
    for wrong in ("secret", "00" * 16, ""):
        (tmp_path / "wrong").write_text(wrong)
        with pytest.raises(PseudonymError, match="64 hexadecimal digits"):
            read_key(tmp_path / "wrong", apart_from=elsewhere)
