"""Container images from the real Dockerfiles, built without an image registry or a container engine.

buildah builds in a chroot; the base image is a Debian with Python made by debootstrap (35 s, once per
machine). What pip needs on this machine (its configuration, its certificates) is mounted while an image is
built and is no part of the image.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kit.cache import MissingPart, cache_root, locked

TREE = Path(__file__).resolve().parents[2]
RELEASE = "bookworm"
BASE = f"localhost/tollhouse-base:{RELEASE}"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
BUILD = f"localhost/tollhouse-build:{RELEASE}"
BUILD_PACKAGES = f"{BASE_PACKAGES},gcc,libc6-dev,python3-dev"
TAG = "e2e"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # the file alone: packages write beside it while they install


class BuildFailed(Exception):
    """An image could not be built; `str()` ends with the builder's own words."""


def build(
    name: str, dockerfile: Path, *, context: Path = TREE, arguments: Mapping[str, str] | None = None
) -> str:
    """Build `dockerfile` on the base image and give the image's name, `localhost/NAME:e2e`.

    Unchanged layers are taken from the last build.
    """
    image = f"localhost/{name}:{TAG}"
    given = {"BASE_IMAGE": base_image(), **(arguments or {})}
    if "ARG BUILD_IMAGE" in dockerfile.read_text():
        given["BUILD_IMAGE"] = build_image()
    with locked("buildah"), tempfile.TemporaryDirectory() as made:
        command = [
            "bud",
            "-q",
            "--pull-never",
            "--layers",
            "--network",
            "host",
            "-t",
            image,
            "-f",
            str(dockerfile),
        ]
        command += [word for key, value in given.items() for word in ("--build-arg", f"{key}={value}")]
        command += [word for mount in _mounts(Path(made)) for word in ("-v", mount)]
        _buildah(*command, str(context))
    return image


def archive(image: str) -> Path:
    """The image as a docker-archive file in the cache, for a node to import."""
    number = _buildah("images", "-q", "--no-trunc", image).strip().splitlines()[0].removeprefix("sha256:")
    folder = cache_root() / "images"
    folder.mkdir(exist_ok=True)
    file = folder / f"{image.rpartition('/')[2].replace(':', '-')}-{number[:16]}.tar"
    with locked("images"):
        if not file.exists():
            for old in folder.glob(f"{image.rpartition('/')[2].replace(':', '-')}-*.tar"):
                old.unlink()
            half = file.with_suffix(".half")
            half.unlink(missing_ok=True)
            _buildah("push", "-q", image, f"docker-archive:{half}:{image}")
            half.rename(file)
    return file


def base_image() -> str:
    """The base image's name; made when it is not there."""
    return _debian(BASE, BASE_PACKAGES)


def build_image() -> str:
    """The same with a C compiler, for build stages."""
    return _debian(BUILD, BUILD_PACKAGES)


def _debian(image: str, packages: str) -> str:
    with locked("base-image"):
        if _buildah("images", "-q", image, check=False).strip():
            return image
        _need("debootstrap")
        print(f"kit: making {image}, once on this machine ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="tollhouse-base-") as made:
            root = Path(made) / "root"
            _run(["debootstrap", "--variant=minbase", f"--include={packages}", RELEASE, str(root)])
            shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
            recipe = Path(made) / "Dockerfile"
            recipe.write_text(
                "FROM scratch\nCOPY root/ /\nENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n"
            )
            _buildah("bud", "-q", "-t", image, "-f", str(recipe), made)
        return image


def single_file(name: str, program: Path) -> str:
    """An image that holds one static program, at /NAME, and starts it."""
    image = f"localhost/{name}:{TAG}"
    with locked("buildah"), tempfile.TemporaryDirectory() as made:
        shutil.copy(program, Path(made) / name)
        recipe = Path(made) / "Dockerfile"
        recipe.write_text(f'FROM scratch\nCOPY {name} /{name}\nENTRYPOINT ["/{name}"]\n')
        _buildah("bud", "-q", "--layers", "-t", image, "-f", str(recipe), made)
    return image


def _mounts(folder: Path) -> list[str]:
    """What the network needs of this machine while building: names, certificates, pip's configuration."""
    found = [f"{path}:{path}:ro" for path in ("/etc/resolv.conf", BUNDLE) if Path(path).exists()]
    configuration = configparser.RawConfigParser()
    configuration["global"] = dict(_pip_settings())
    with (folder / "pip.conf").open("w") as file:
        configuration.write(file)
    return [*found, f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]


def _pip_settings() -> list[tuple[str, str]]:
    """pip's settings here, from its files and its environment, without folders only this machine has."""
    said = _run([sys.executable, "-m", "pip", "config", "list"])
    settings = []
    for line in said.splitlines():
        name, _, value = line.partition("=")
        scope, _, key = name.partition(".")
        text = value.strip("'\"")
        if scope in {"global", "install", ":env:"} and (key == "cert" or not os.path.isabs(text)):
            settings.append((key, text))
    return settings


def _buildah(*arguments: str, check: bool = True) -> str:
    _need("buildah")
    return _run(["buildah", *arguments], check=check)


def _run(command: list[str], *, check: bool = True) -> str:
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise BuildFailed(f"`{' '.join(command[:2])}` failed:\n{words}")
    return done.stdout


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise MissingPart(program, f"apt-get install {program}")
