"""Backups: files packed into one archive with a checksum for each."""
import gzip
import hashlib
import json
import pathlib


class Damaged(Exception):
    pass


def write(path, files):
    """Packs {name: bytes}."""
    entries = [{"name": n, "sha256": hashlib.sha256(d).hexdigest(), "hex": d.hex()} for n, d in sorted(files.items())]
    pathlib.Path(path).write_bytes(gzip.compress(json.dumps(entries).encode(), compresslevel=6, mtime=0))


def read(path):
    try:
        entries = json.loads(gzip.decompress(pathlib.Path(path).read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from None
    files = {}
    for entry in entries:
        data = bytes.fromhex(entry["hex"])
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise Damaged(f"{path}: {entry['name']} differs from its checksum")
        files[entry["name"]] = data
    return files


def keep(days, daily=7, weekly=4):
    """Which backups to keep, of those made on the given day numbers: the last `daily`, and `weekly` Sundays."""
    latest = sorted(days, reverse=True)
    sundays = [day for day in latest if day % 7 == 0]
    return sorted({*latest[:daily], *sundays[:weekly]})
