"""A ConfigMap or Secret as the kubelet mounts it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Mounted:
    """Files are links into `..data`, itself a link that the kubelet replaces by renaming."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = 0

    def put(self, files: Mapping[str, str]) -> None:
        """Swap the content; files that are not in it any more lead nowhere."""
        self._turn += 1
        data = self._folder / f"..{self._turn}"
        data.mkdir()
        for name, text in files.items():
            (data / name).write_text(text)
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(Path("..data") / name)
        link = self._folder / "..data_tmp"
        link.symlink_to(data.name)
        link.rename(self._folder / "..data")
