"""Programs that come as packages: from PATH, the environment's own wheels, PyPI or Maven Central."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from kit.cache import MissingPart, filled


def find_program(name: str, *, variable: str | None = None) -> Path | None:
    """`name` where the environment variable says, in this Python environment, or on PATH."""
    told = os.environ.get(variable) if variable else None
    if told:
        return Path(told)
    beside = Path(sysconfig.get_path("scripts")) / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


def installed_package(name: str) -> Path | None:
    """The folder of an installed Python package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def pip_folder(requirement: str) -> Path:
    """A folder of its own in the cache with `requirement` (`name==version`) installed by pip."""

    def install(folder: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            str(folder),
            requirement,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MissingPart(requirement, f"`pip install {requirement}` failed: {last_line(done.stderr)}")

    return filled(f"pip/{requirement.replace('==', '-')}", install)


def maven_jar(coordinates: str, sha256: str | None, folder: Path) -> Path:
    """Fetch a jar (`group:name:version[:zip]`) with Maven's own client into `folder`, and check it."""
    if shutil.which("mvn") is None:
        raise MissingPart(
            coordinates, "install Maven (Debian: apt-get install maven), it fetches the archive"
        )
    command = ["mvn", "-q", "-B", "--strict-checksums", "dependency:copy"]
    command += [f"-Dartifact={coordinates}", f"-DoutputDirectory={folder}", "-Dmdep.useBaseVersion=true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    _, name, version, *kind = coordinates.split(":")
    jar = folder / f"{name}-{version}.{kind[0] if kind else 'jar'}"
    if done.returncode or not jar.is_file():
        raise MissingPart(coordinates, f"Maven could not fetch it: {last_line(done.stdout + done.stderr)}")
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if sha256 is not None and found != sha256:
        raise MissingPart(coordinates, f"the fetched archive has SHA-256 {found}, expected {sha256}")
    return jar


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "(no message)"
