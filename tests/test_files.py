import json

import pytest

from tutti import files


def test_a_file_is_replaced_whole(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    files.write_text(target, "one")
    files.write_text(target, "two")
    assert target.read_text() == "two"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="halfway"), files.atomic_path(target) as temporary:
        temporary.write_text("new")
        raise RuntimeError("halfway")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "folder"
    with files.atomic_folder(target) as temporary:
        (temporary / "one").write_text("1")
    with files.atomic_folder(target) as temporary:
        (temporary / "two").write_text("2")
    assert [p.name for p in target.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_an_error_leaves_the_old_folder(tmp_path):
    target = tmp_path / "folder"
    with files.atomic_folder(target) as temporary:
        (temporary / "one").write_text("1")
    with pytest.raises(RuntimeError, match="halfway"), files.atomic_folder(target) as temporary:
        (temporary / "two").write_text("2")
        raise RuntimeError("halfway")
    assert [p.name for p in target.iterdir()] == ["one"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_json_ends_with_a_newline_and_refuses_nan(tmp_path):
    target = tmp_path / "a.json"
    files.write_json(target, {"b": 1, "a": [1.5]})
    assert target.read_text().endswith("}\n")
    assert json.loads(target.read_text()) == {"b": 1, "a": [1.5]}
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(target, float("nan"))
    assert json.loads(target.read_text()) == {"b": 1, "a": [1.5]}


def test_hashes_see_names_and_contents_only(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, "ab"), (second, "ba")):
        folder.mkdir()
        for name in order:
            (folder / name).write_text(name * 3)
    assert files.sha256_tree(first) == files.sha256_tree(second)
    (second / "a").rename(second / "c")
    assert files.sha256_tree(first) != files.sha256_tree(second)
    # The digest of three bytes "abc", from FIPS 180-2.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert (
        files.sha256_file(tmp_path / "abc") == files.sha256_bytes(b"abc") == files.sha256_tree(tmp_path / "abc") == abc
    )
