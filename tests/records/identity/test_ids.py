"""Ids that no reader can tell apart match; ids that a reader can tell apart do not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.identity.ids import differ_in_capitals, match_key, match_keys, repeats

INVISIBLE = ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\ufe0f", "\u034f", "\u3164", "\0"]
BLANKS = [" ", "\u00a0", "\t", "\u2003", "\n", "\u3000"]
VISIBLE = st.text(st.sampled_from("aBc-ß7é漢ॐ_"), min_size=1)


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("s-1", "s-1"),
        ("s-1 ", "s-1"),
        ("\ufeffs-1", "s-1"),
        ("s\u200b-1\u00a0", "s-1"),
        ("Mu\u0308ller", "Müller"),
        ("a \t  b", "a b"),
        ("\u200b ", ""),
        ("", ""),
        ("S-1", "S-1"),
    ],
)
def test_a_key_holds_what_a_reader_sees(sent: str, key: str) -> None:
    assert match_key(sent) == key


@given(VISIBLE, st.lists(st.sampled_from([*INVISIBLE]), max_size=3), st.data())
def test_invisible_characters_anywhere_and_blanks_at_the_ends_change_no_key(
    text: str, invisible: list[str], data: st.DataObject
) -> None:
    sent = text
    for character in invisible:
        at = data.draw(st.integers(0, len(sent)))
        sent = sent[:at] + character + sent[at:]
    around = data.draw(st.sampled_from(["", *BLANKS]))
    assert match_key(around + sent + around) == match_key(text)


@given(st.text())
def test_a_key_is_its_own_key_and_composed(text: str) -> None:
    key = match_key(text)
    assert match_key(key) == key
    assert unicodedata.is_normalized("NFC", key)
    assert match_key(unicodedata.normalize("NFD", text)) == key


@given(VISIBLE, VISIBLE)
def test_what_a_reader_can_tell_apart_stays_apart(one: str, other: str) -> None:
    composed = (unicodedata.normalize("NFC", text) for text in (one, other))
    assert (match_key(one) == match_key(other)) == (len(set(composed)) == 1)


@given(st.lists(VISIBLE | st.text(max_size=4)))
def test_many_keys_are_the_keys_of_each(ids: list[str]) -> None:
    assert list(match_keys(ids)) == [match_key(name) for name in ids]


def test_plain_ids_are_handed_back_as_they_are() -> None:
    ids = [f"s-{number}" for number in range(100)]
    assert match_keys(ids) is ids


def test_repeats_name_the_first_of_their_kind() -> None:
    assert repeats(["a", "b", "a", "c", "b", "a"]) == [(2, 0), (4, 1), (5, 0)]
    assert repeats(["a", "b"]) == []


def test_only_different_ids_can_differ_in_capitals() -> None:
    assert differ_in_capitals(["s-1", "S-1", "s-1", "s-2"]) == [(1, 0)]
    assert differ_in_capitals(["s-1", "s-1"]) == []
