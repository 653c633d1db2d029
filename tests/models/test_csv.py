from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import DataError
from funcgrad.models._csv import _numbers, read_table


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "houses.csv"


def test_a_table_keeps_names_and_values_in_order(file: Path) -> None:
    file.write_text("area,rooms,price\n50,2,1e2\n-80.5,+3,170\n")
    names, values = read_table(file, "price")
    assert names == ("area", "rooms", "price")
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [[50, 2, 100], [-80.5, 3, 170]])


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffarea,price\r\n50,100\r\n",  # as spreadsheets write it
        " area , price \n\n 50 , 100 \n\n",
        '"area","price"\n"50","100"',
        "area,price\n   \n50,100\n",
    ],
)
def test_marks_spaces_quotes_and_blank_lines_do_not_matter(file: Path, content: str) -> None:
    file.write_bytes(content.encode())
    names, values = read_table(str(file), "area")
    assert names == ("area", "price")
    np.testing.assert_array_equal(values, [[50, 100]])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=5))
def test_every_finite_number_is_read_back(numbers: list[float]) -> None:
    names = tuple("abcde"[: len(numbers)])
    assert _numbers(Path("x.csv"), 2, names, [repr(number) for number in numbers]) == numbers


def test_a_missing_file_is_named_with_the_current_folder(file: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*houses\.csv; the current folder is .*, so"):
        read_table(file, "price")


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; pass the path of a CSV file in it"):
        read_table(tmp_path, "price")


def test_an_unreadable_file_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # an administrator may read everything
    with pytest.raises(DataError, match=r"cannot read '.*houses\.csv': Permission denied; check"):
        read_table(file, "price")


def test_a_name_too_long_for_the_system_is_an_error_of_ours() -> None:
    with pytest.raises(DataError, match=r"cannot read 'a{300}': File name too long; check"):
        read_table("a" * 300, "price")


def test_a_name_that_no_file_can_have_is_an_error_of_ours() -> None:
    with pytest.raises(DataError, match=r"cannot read 'a\\x00b': embedded null byte; check"):
        read_table("a\0b", "price")


def test_bytes_that_are_no_text_are_named_with_their_line(file: Path) -> None:
    file.write_bytes(b"area,price\n50,100\n80,\xff\n")
    with pytest.raises(DataError, match=r"not UTF-8 text: byte 0xff on line 3 .*save it as CSV"):
        read_table(file, "price")


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_named(file: Path, content: str) -> None:
    file.write_bytes(content.encode())
    with pytest.raises(DataError, match=r"houses\.csv is empty; its first line must name"):
        read_table(file, "price")


def test_a_header_alone_is_named(file: Path) -> None:
    file.write_text("area,price\n\n")
    with pytest.raises(DataError, match="has a header, 'area', 'price', but no row below it"):
        read_table(file, "price")


def test_names_given_twice_are_named(file: Path) -> None:
    file.write_text("area,price,area,rooms,rooms \n1,2,3,4,5\n")
    with pytest.raises(DataError, match="names 'area', 'rooms' more than once; rename"):
        read_table(file, "price")


def test_a_column_without_a_name_is_counted(file: Path) -> None:
    file.write_text("area, ,price\n1,2,3\n")
    with pytest.raises(DataError, match="column 2 of the header has no name"):
        read_table(file, "price")


@pytest.mark.parametrize("header", ["price", "area;price"])
def test_a_single_column_is_named(file: Path, header: str) -> None:
    file.write_text(f"{header}\n1\n")
    with pytest.raises(DataError, match=f"the single column '{header}'; .* separated by commas"):
        read_table(file, "price")


@pytest.mark.parametrize(
    ("target", "suggestion"),
    [
        ("prise", r" \(did you mean 'Price'\?\)"),
        ("PRICE", r" \(did you mean 'Price'\?\)"),
        ("y", ""),
    ],
)
def test_a_missing_target_lists_the_columns(file: Path, target: str, suggestion: str) -> None:
    file.write_text("area,Price\n1,2\n")
    message = f"has no column '{target}'{suggestion}; its columns are 'area', 'Price'"
    with pytest.raises(DataError, match=message):
        read_table(file, target)


@pytest.mark.parametrize(("row", "count"), [("80", 1), ("80,1,2", 3)])
def test_a_ragged_row_is_named_with_its_line(file: Path, row: str, count: int) -> None:
    file.write_text(f"area,price\n\n50,100\n{row}\n")
    message = f"line 4: {count} cells for the 2 columns of the header, 'area', 'price'"
    with pytest.raises(DataError, match=message):
        read_table(file, "price")


@pytest.mark.parametrize("cell", ["large", "", "1_000", "1.5 m", "0x10"])
def test_a_cell_that_is_no_number_is_named_with_its_place(file: Path, cell: str) -> None:
    file.write_text(f"area,price\n50,100\n80,{cell}\n")
    with pytest.raises(DataError, match=rf"line 3, column 2 \('price'\): '{cell}' is not a number"):
        read_table(file, "price")


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-Infinity", "1e999"])
def test_a_cell_that_is_not_finite_is_named_with_its_place(file: Path, cell: str) -> None:
    file.write_text(f"area,price\n{cell},100\n")
    message = rf"line 2, column 1 \('area'\): '{cell}' is not a finite number"
    with pytest.raises(DataError, match=message):
        read_table(file, "price")


def test_a_quote_that_never_closes_is_named(file: Path) -> None:
    file.write_text('area,price\n50,100\n"80,170\n')
    with pytest.raises(DataError, match=r"line 3: not well-formed CSV, .*; check the quotes"):
        read_table(file, "price")
