from __future__ import annotations

from pathlib import Path

import pytest

from clientscore._files import replacing


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    target.write_text("old")

    def write_half() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_half()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / ".new.txt.x.part"))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(PermissionError) as caught, replacing(tmp_path / "new.txt"):
        pass
    assert caught.value.filename == str(tmp_path / "new.txt")
    with pytest.raises(IsADirectoryError, match="give a file") as found, replacing(tmp_path):
        pass
    assert found.value.filename == str(tmp_path)
