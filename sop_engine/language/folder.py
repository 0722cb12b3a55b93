"""Reads the files of a project's folder: playbooks, templates and what providers say of these, nothing else."""

import pathlib

from sop_engine.core.errors import BadFile
from sop_engine.language.approved import FILE


def read_folder(root: pathlib.Path) -> dict[str, str]:
    """The texts by path below `root`, sorted, as in "playbooks/11-x.yml".

    Bytes that are no UTF-8 are kept as lone surrogates; `load.check` says where they stand. Raises BadFile if there is
    no such folder, or neither `playbooks/` nor `templates/` in it.
    """
    if not root.is_dir():
        raise BadFile(f"there is no folder '{root}'. Write the folder that holds 'playbooks' and 'templates'.")
    if not any((root / name).is_dir() for name in ("playbooks", "templates")):
        raise BadFile(f"the folder '{root}' has neither 'playbooks' nor 'templates'. Write the folder of a project.")
    found = [*_below(root, "playbooks", (".yml", ".yaml")), *_below(root, "templates", (".md",))]
    found += [root / FILE] if (root / FILE).is_file() else []
    return {path.relative_to(root).as_posix(): _text(path) for path in found}


def _below(root: pathlib.Path, folder: str, endings: tuple[str, ...]) -> list[pathlib.Path]:
    return sorted(path for path in (root / folder).rglob("*") if path.suffix in endings and path.is_file())


def _text(path: pathlib.Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadFile(f"'{path}' cannot be read: {error.strerror or error}.") from error
    return raw.decode("utf-8-sig", "surrogateescape")
