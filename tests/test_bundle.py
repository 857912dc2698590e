from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.assessment import ClientModel
from clientscore.bundle import FORMAT_VERSION, load_model, save_model
from clientscore.exceptions import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleVersionError,
    DataNotFoundError,
    InvalidParameterError,
)
from clientscore.labels import ExitRules
from clientscore.signals import SignalRules


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, small_model: ClientModel) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "model.clientscore"
    save_model(small_model, path)
    return path


def rewritten(saved: Path, out: Path, change) -> Path:
    """Copy a bundle entry by entry through `change(name, content)`; None drops the entry."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out


def resealed(saved: Path, out: Path, name: str, content: bytes) -> Path:
    """Replace one entry and put its new hash into the manifest, as an editor with intent would."""
    with zipfile.ZipFile(saved) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    replaced = {name: content, "manifest.json": json.dumps(manifest).encode()}
    return rewritten(saved, out, replaced.get)


def test_a_loaded_model_answers_to_the_bit(saved: Path, small_book, small_model, small_result) -> None:
    loaded = load_model(saved)
    assert loaded.model_version_ == small_model.model_version_
    again = loaded.assess(small_book.tables, as_of="2024-01-01")
    pd.testing.assert_frame_equal(again.frame(), small_result.frame(), check_exact=True)
    pd.testing.assert_frame_equal(again.rates, small_result.rates)


def test_the_rules_come_back_with_the_model(saved: Path, small_model: ClientModel) -> None:
    loaded = load_model(saved)
    assert loaded.exit_rules_ == small_model.exit_rules_
    assert loaded.signal_rules_ == small_model.signal_rules_
    np.testing.assert_array_equal(loaded.signal_reference_.grids, small_model.signal_reference_.grids)


def test_a_file_from_before_the_rules_reads_with_the_defaults(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        state = json.loads(archive.read("model.json"))
    for name in ("exit_rules", "signal_rules"):
        state.pop(name)
    state["tiers"].pop("watch_signals")
    state["signal_reference"] = None
    loaded = load_model(resealed(saved, tmp_path / "old", "model.json", json.dumps(state).encode()))
    assert (loaded.exit_rules_, loaded.signal_rules_) == (ExitRules(), SignalRules())
    assert loaded.tiers_.watch_signals == ("credit",)
    assert loaded.signal_reference_ is None


def test_the_same_model_gives_the_same_bytes(saved: Path, small_model: ClientModel, tmp_path: Path) -> None:
    save_model(small_model, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()
    save_model(load_model(saved), tmp_path / "loaded")
    assert (tmp_path / "loaded").read_bytes() == saved.read_bytes()


def test_each_head_can_be_saved_alone(small_model: ClientModel, tmp_path: Path) -> None:
    for head in (small_model.scorer_, small_model.churn_, small_model.need_):
        save_model(head, tmp_path / "head")
        assert type(load_model(tmp_path / "head")) is type(head)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="model must be one of ClientModel"):
        save_model({"a": 1}, tmp_path / "x")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="There is no model file"):
        load_model(tmp_path / "none.clientscore")


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all", b"\x80\x04\x95pickle"])
def test_a_file_of_another_kind_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BundleFormatError, match="not a readable model file"):
        load_model(tmp_path / "x")


def test_an_archive_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BundleFormatError, match=r"no manifest\.json"):
        load_model(tmp_path / "x")


def test_a_newer_format_says_what_to_do(saved: Path, tmp_path: Path) -> None:
    def newer(name: str, content: bytes) -> bytes:
        if name != "manifest.json":
            return content
        return json.dumps(json.loads(content) | {"format_version": FORMAT_VERSION + 1}).encode()

    with pytest.raises(BundleVersionError, match="Update clientscore"):
        load_model(rewritten(saved, tmp_path / "x", newer))


def test_an_edited_entry_is_found_by_its_hash(saved: Path, tmp_path: Path) -> None:
    def raise_intercept(name: str, content: bytes) -> bytes:
        return content.replace(b"0", b"1", 1) if name == "model.json" else content

    with pytest.raises(BundleIntegrityError, match=r"changed after it was written[\s\S]*model\.json"):
        load_model(rewritten(saved, tmp_path / "x", raise_intercept))


def test_a_dropped_or_added_entry_is_found(saved: Path, tmp_path: Path) -> None:
    def drop(name: str, content: bytes) -> bytes | None:
        return None if name == "arrays/00000.npy" else content

    with pytest.raises(BundleIntegrityError, match=r"arrays/00000\.npy"):
        load_model(rewritten(saved, tmp_path / "x", drop))
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(tmp_path / "y", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("../evil", b"1")
    with pytest.raises(BundleIntegrityError, match="evil"):
        load_model(tmp_path / "y")


def test_an_entry_that_stands_twice_is_refused(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(tmp_path / "x", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with pytest.warns(UserWarning, match="Duplicate name"):
            new.writestr("model.json", b"{}")
    with pytest.raises(BundleFormatError, match="stands twice"):
        load_model(tmp_path / "x")


def test_a_resealed_state_of_another_shape_is_a_typed_error(saved: Path, tmp_path: Path) -> None:
    for content in (b"{}", b"[]", b"null", b'{"schema": 1}', b"{" * 100_000):
        with pytest.raises(BundleFormatError, match=r"not hold a usable model|not a readable model file"):
            load_model(resealed(saved, tmp_path / "x", "model.json", content))


def test_a_resealed_array_of_objects_is_refused(saved: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BundleFormatError, match="Object arrays cannot be loaded"):
        load_model(resealed(saved, tmp_path / "x", "arrays/00000.npy", buffer.getvalue()))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("clientscore.bundle.MAX_BYTES", 1_000_000)
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * 2_000_000)
    with pytest.raises(BundleFormatError, match="unpacks to more than"):
        load_model(tmp_path / "x")


@settings(max_examples=40)
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_is_always_a_typed_error(saved: Path, tmp_path_factory, share: float) -> None:
    whole = saved.read_bytes()
    cut = tmp_path_factory.getbasetemp() / "cut.clientscore"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BundleError, match="not a readable model file"):
        load_model(cut)


@settings(max_examples=60)
@given(share=st.floats(0, 0.9999), flip=st.integers(1, 255))
def test_a_flipped_byte_is_a_typed_error_or_changes_nothing(
    saved: Path, small_model: ClientModel, tmp_path_factory, share: float, flip: int
) -> None:
    content = bytearray(saved.read_bytes())
    content[int(share * len(content))] ^= flip
    damaged = tmp_path_factory.getbasetemp() / "flipped.clientscore"
    damaged.write_bytes(content)
    try:
        loaded = load_model(damaged)
    except BundleError:
        return
    # A date or an attribute in the archive's own bookkeeping: the contents are proved by their hashes.
    assert loaded.to_state()["model_version"] == small_model.model_version_


def test_a_folder_is_no_model_file(tmp_path) -> None:
    with pytest.raises(BundleFormatError, match=r"is a folder\. Give the model file in it"):
        load_model(tmp_path)
