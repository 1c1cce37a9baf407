"""TOML files: faults are reported with their line, in every layout."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from records.errors import ContractError
from records.files.toml_file import line_of_keys, parse_toml, read_toml


class Inner(BaseModel):
    size: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    inner: Inner
    items: tuple[Inner, ...] = ()


def refusal(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        parse_toml(text, Outer, name="x.toml")
    return str(caught.value)


def test_a_valid_text_becomes_the_model() -> None:
    assert parse_toml('title = "a"\n[inner]\nsize = 3', Outer, name="x.toml").inner.size == 3


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('title = 1\n\n[inner]\nsize = "x"', ["x.toml:1: title: ", "x.toml:4: inner.size: "]),
        ('title = "a"\ninner.size = "x"', ["x.toml:2: inner.size: "]),
        ('title = "a"\n[inner]  # a comment\n', ["x.toml:2: inner.size: "]),
        ('title = "a"\n[inner]\nsize = 1\n\n[[items]]\nsize = 1\n[[items]]\nsize = "x"',
         ["x.toml:8: items.1.size: "]),
        ('title = "a"\ninner = { size = "x" }', ["x.toml:2: inner.size: "]),
        ('title = "a"\n[inner]\nsize = 1\n["un known"]\na = 1', ["x.toml:4: un known: "]),
        ("", ["x.toml:1: title: ", "x.toml:1: inner: "]),
    ],
)  # fmt: skip
def test_every_fault_is_told_with_its_line(text: str, where: list[str]) -> None:
    lines = refusal(text).splitlines()
    assert len(lines) == len(where)
    assert all(line.startswith(start) for line, start in zip(lines, where, strict=True))


def test_text_that_is_no_toml_is_told_with_its_line() -> None:
    assert "line 2" in refusal('title = "a"\nsize == 3')


def test_lines_are_known_for_tables_keys_and_dotted_keys() -> None:
    text = '[a.b]\nc.d = 1\n[[e]]\n[[e]]\n[e.f]\n"g" = 1'
    assert line_of_keys(text) == {
        (): 1,
        ("a", "b"): 1,
        ("a", "b", "c"): 2,
        ("a", "b", "c", "d"): 2,
        ("e", 0): 3,
        ("e", 1): 4,
        ("e", 1, "f"): 5,
        ("e", 1, "f", "g"): 6,
    }


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no such file"):
        read_toml(tmp_path / "x.toml", Outer)
    with pytest.raises(ContractError, match="cannot be read"):
        read_toml(tmp_path, Outer)
    (tmp_path / "x.toml").write_bytes('title = "ä"'.encode("latin-1"))
    with pytest.raises(ContractError, match="not UTF-8 at byte 9"):
        read_toml(tmp_path / "x.toml", Outer)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('title = "ä"\n[inner]\nsize = 1', encoding="utf-8-sig")
    assert read_toml(path, Outer).title == "ä"


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "a = " + "{b = " * 5000])
def test_a_file_nested_without_end_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ContractError, match=r"x\.toml: nested too deeply"):
        read_toml(tmp_path / "x.toml", Outer)
