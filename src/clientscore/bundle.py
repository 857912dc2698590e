"""One model, one file: JSON and arrays in a zip archive, no pickle.

The file holds ``manifest.json`` (format, versions, and for every other entry its size and SHA-256),
``model.json`` (the state, see ``clientscore._state``) and ``arrays/00000.npy`` and on. It is read into
memory and never extracted. The hashes show accidents; they are no signature: whoever can edit the file can
edit them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from clientscore._files import replacing
from clientscore._state import join_state, split_state
from clientscore.assessment import ClientModel
from clientscore.churn import ChurnModel
from clientscore.exceptions import (
    BundleFormatError,
    BundleIntegrityError,
    BundleVersionError,
    ClientScoreError,
    DataNotFoundError,
    InvalidParameterError,
)
from clientscore.need import FinancingNeedForecaster
from clientscore.scoring import ClientScorer

if TYPE_CHECKING:
    import os

FORMAT = "clientscore-model"
FORMAT_VERSION = 1
MAX_ENTRIES = 20_000
MAX_BYTES = 1_000_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no clock in the file: the same model gives the same bytes
_KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (ClientModel, ClientScorer, ChurnModel, FinancingNeedForecaster)
}
# What a damaged archive can raise from the standard library and numpy; all become BundleFormatError.
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    MemoryError,
)


class HasState(Protocol):
    """A fitted object that gives its state as plain data."""

    def to_state(self) -> dict[str, Any]:
        """Return the state."""
        ...


def save_model(model: HasState, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to one file; the old file stays until the new one is complete.

    Parameters
    ----------
    model : ClientModel, ClientScorer, ChurnModel or FinancingNeedForecaster
        A fitted model.
    path : path-like
        The file to write, by custom ending in ``.clientscore``.

    Raises
    ------
    InvalidParameterError
        The object is none of these kinds.
    """
    kind = type(model).__name__
    if kind not in _KINDS:
        raise InvalidParameterError(f"model must be one of {', '.join(_KINDS)}; got {kind}.")
    text, arrays = split_state(model.to_state())
    entries = {"model.json": text.encode()}
    for position, array in enumerate(arrays):
        entries[_array_name(position)] = _array_bytes(array)
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "files": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in entries.items()
        },
    }
    head = json.dumps(manifest, sort_keys=True, indent=1).encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in {"manifest.json": head, **entries}.items():
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, compresslevel=1)  # 5 % larger than at 6, in half the time


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read a model that `save_model` wrote; its predictions are the same to the bit.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    ClientModel, ClientScorer, ChurnModel or FinancingNeedForecaster
        The kind that was saved.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    BundleFormatError
        The file is not a model file, is truncated, or holds what no model of ours holds.
    BundleIntegrityError
        An entry differs from the size or hash in the manifest.
    BundleVersionError
        The file was written by a newer version of the format.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - path may be any path-like
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"There is no model file {str(path)!r}. Save one with save_model.") from error
    except IsADirectoryError as error:
        raise BundleFormatError(f"{str(path)!r} is a folder. Give the model file in it.") from error
    if len(data) > MAX_BYTES:
        raise BundleFormatError(f"{str(path)!r} is larger than the {MAX_BYTES:,} bytes a model may have.")
    try:
        return _decode(data)
    except ClientScoreError as error:
        if isinstance(error, BundleFormatError | BundleIntegrityError | BundleVersionError):
            raise
        raise BundleFormatError(f"{str(path)!r} does not hold a usable model: {error}") from error
    except _DAMAGE as error:
        raise BundleFormatError(
            f"{str(path)!r} is not a readable model file ({type(error).__name__}: {error}). "
            "Copy it again from where it was written, or fit and save the model anew."
        ) from error


def _decode(data: bytes) -> Any:
    entries = _read_entries(data)
    manifest = _read_manifest(entries.pop("manifest.json", None))
    _check_entries(entries, manifest["files"])
    text = entries.pop("model.json").decode()
    arrays = [_array_from(entries[_array_name(i)]) for i in range(len(entries))]
    return _KINDS[manifest["kind"]].from_state(join_state(text, arrays))


def _read_entries(data: bytes) -> dict[str, bytes]:
    entries: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_ENTRIES or sum(info.file_size for info in infos) > MAX_BYTES:
            raise BundleFormatError(
                f"The file unpacks to more than {MAX_ENTRIES:,} entries or {MAX_BYTES:,} bytes: not a model."
            )
        for info in infos:
            if info.filename in entries:
                raise BundleFormatError(f"The entry {info.filename!r} stands twice in the file.")
            with archive.open(info) as entry:
                content = entry.read(info.file_size + 1)
            if len(content) > info.file_size:
                raise BundleFormatError(f"The entry {info.filename!r} is longer than it declares.")
            entries[info.filename] = content
    return entries


def _read_manifest(content: bytes | None) -> dict[str, Any]:
    if content is None:
        raise BundleFormatError("The file has no manifest.json: it is not a clientscore model.")
    manifest = json.loads(content)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleFormatError(f"The manifest must say format {FORMAT!r}: this is not a clientscore model.")
    version = manifest.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise BundleFormatError(f"format_version must be a whole number of at least 1; got {version!r}.")
    if version > FORMAT_VERSION:
        raise BundleVersionError(
            f"The file has format version {version}; this installation reads up to {FORMAT_VERSION}. "
            "Update clientscore."
        )
    if manifest.get("kind") not in _KINDS or not isinstance(manifest.get("files"), dict):
        raise BundleFormatError(f"The manifest must name a kind of {', '.join(_KINDS)} and its files.")
    return manifest


def _check_entries(entries: dict[str, bytes], declared: dict[str, Any]) -> None:
    wanted = {"model.json", *(_array_name(i) for i in range(len(declared) - 1))}
    if set(declared) != wanted or set(entries) != wanted:
        odd = sorted(set(declared) ^ set(entries) | set(declared) ^ wanted)
        raise BundleIntegrityError(f"The entries differ from the manifest: {', '.join(odd[:5])}.")
    faults = [
        f"{name}: {len(content)} bytes, expected {declared[name]['size']} with another hash"
        for name, content in entries.items()
        if hashlib.sha256(content).hexdigest() != declared[name]["sha256"]
        or len(content) != declared[name]["size"]
    ]
    if faults:
        raise BundleIntegrityError("The file was changed after it was written.", faults)


def _array_name(position: int) -> str:
    return f"arrays/{position:05d}.npy"


def _array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _array_from(content: bytes) -> np.ndarray:
    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if array.dtype.kind not in "biuf":
        raise BundleFormatError(f"Arrays must hold numbers or booleans; got dtype {array.dtype}.")
    return array
