"""A Kubernetes control plane: etcd and kube-apiserver on loopback, no node, no controllers, no root needed.

What only controllers do does not happen here: no pod runs, no ServiceAccount appears by itself in a new
namespace, nothing is garbage-collected.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kit import process, wait
from kit.kube_programs import etcd_program, kube_program, kubectl_program
from kit.pki import Authority, Pair
from kit.ports import LOOPBACK, free_ports

ISSUER = "https://kubernetes.default.svc"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
PEOPLE: Mapping[str, Sequence[str]] = {
    "admin": ("system:masters",),
    "alice": ("managers",),
    "bob": ("managers",),
    "mallory": ("developers",),
}


class Cluster:
    """A reachable API server and the people who may talk to it.

    server: its URL. ca_file: what to trust. admin, alice and bob (group managers) and mallory (developers)
    have kubeconfigs; `person` makes more.
    """

    def __init__(self, server: str, authority: Authority, folder: Path) -> None:
        self.server = server
        self.authority = authority
        self.ca_file = authority.certificate
        self._folder = folder
        for name, groups in PEOPLE.items():
            self.person(name, groups)

    def person(self, name: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a user of that name and groups, proved by a client certificate."""
        pair = self.authority.client(f"person-{name}", name, groups)
        user = {"client-certificate-data": _packed(pair.certificate), "client-key-data": _packed(pair.key)}
        return self.write_kubeconfig(name, user)

    def kubeconfig(self, user: str = "admin") -> Path:
        """The kubeconfig of someone `person` made."""
        path = self._folder / f"{user}.kubeconfig"
        if not path.exists():
            raise LookupError(f"nobody called {user!r} has a kubeconfig here; make one with person({user!r})")
        return path

    def write_kubeconfig(self, name: str, user: Mapping[str, str]) -> Path:
        """A kubeconfig file whose user has those credentials (kubeconfig's own field names)."""
        cluster = {"server": self.server, "certificate-authority-data": _packed(self.ca_file)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kit", "cluster": cluster}],
            "users": [{"name": name, "user": dict(user)}],
            "contexts": [{"name": "kit", "context": {"cluster": "kit", "user": name}}],
            "current-context": "kit",
        }
        path = self._folder / f"{name}.kubeconfig"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(document, file)
        return path

    def kubectl_command(self, user: str = "admin") -> list[str]:
        """The beginning of every kubectl command of that user."""
        return [str(kubectl_program()), "--kubeconfig", str(self.kubeconfig(user))]

    def kubectl(
        self,
        *arguments: str | Path,
        user: str = "admin",
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = False,
        within: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as `user`; with `check` a failure raises AssertionError with kubectl's words."""
        command = [*self.kubectl_command(user), *map(str, arguments)]
        done = subprocess.run(
            command, input=input, capture_output=True, text=True, check=False, timeout=within
        )
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(map(str, arguments))}: {done.stderr}"
        return done

    def apply(self, *documents: Mapping[str, Any] | str, user: str = "admin") -> None:
        """`kubectl apply` of these objects (dicts or YAML texts); raises AssertionError when refused."""
        texts = [one if isinstance(one, str) else json.dumps(one) for one in documents]
        self.kubectl("apply", "-f", "-", user=user, input="\n---\n".join(texts), check=True)

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """One object as a dict, None when there is none."""
        where = ["-n", namespace] if namespace else []
        done = self.kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found", check=True)
        return dict(json.loads(done.stdout)) if done.stdout.strip() else None

    def namespace(self, prefix: str = "kit", labels: Mapping[str, str] | None = None) -> str:
        """A fresh namespace."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        metadata = {"name": name, "labels": dict(labels or {})}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return name

    def service_account(self, namespace: str, name: str) -> str:
        """Make a ServiceAccount; gives the user name it has at the API server."""
        metadata = {"name": name, "namespace": namespace}
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        return f"system:serviceaccount:{namespace}:{name}"

    def token(self, namespace: str, account: str, *, audience: str | None = None, seconds: int = 3600) -> str:
        """A token of that ServiceAccount, for `audience` (None: the API server's own)."""
        wanted = ["--audience", audience] if audience else []
        command = ["create", "token", account, "-n", namespace, f"--duration={max(seconds, 600)}s", *wanted]
        return self.kubectl(*command, check=True).stdout.strip()


class ControlPlane(Cluster):
    """etcd and kube-apiserver of this test run; `pause` and `resume` take the API server away and back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(folder / "pki", "tollhouse-test-cluster-ca")
        self._folder = folder
        self._port, client, peer = free_ports(3)
        super().__init__(f"https://{LOOPBACK}:{self._port}", authority, folder)
        self._pair = authority.server("apiserver", names=NAMES, addresses=(LOOPBACK, FIRST_SERVICE))
        self._etcd_url = f"http://{LOOPBACK}:{client}"
        write_account_keys(folder)
        self.etcd = start_etcd(folder, self._etcd_url, f"http://{LOOPBACK}:{peer}")
        try:
            self.apiserver = self._start_apiserver()
        except BaseException:
            self.etcd.stop()
            raise

    def pause(self) -> None:
        """Take the API server away (it is stopped; its data stays)."""
        self.apiserver.stop()

    def resume(self) -> None:
        """Bring the API server back at the same address."""
        self.apiserver = self._start_apiserver()

    def stop(self) -> None:
        """The API server first: without etcd it does not end."""
        self.apiserver.stop()
        self.etcd.stop()

    def _start_apiserver(self) -> process.Server:
        command = [str(kube_program("kube-apiserver")), f"--etcd-servers={self._etcd_url}"]
        command += apiserver_arguments(self._folder, self.authority, self._pair, LOOPBACK, self._port)
        # 192.0.2.2 is never routed: the API server will not publish a loopback address as its own.
        command += ["--advertise-address=192.0.2.2"]
        server = process.start(
            "kube-apiserver", command, log=self._folder / "apiserver.log", stop=signal.SIGKILL, grace=5
        )
        try:
            wait.until(lambda: ready(server, self), within=60, what="kube-apiserver is ready", every=0.05)
        except BaseException:
            server.stop()
            raise
        return server


def start_etcd(folder: Path, url: str, peer: str) -> process.Server:
    command = [
        str(etcd_program()),
        "--data-dir",
        str(folder / "etcd"),
        "--unsafe-no-fsync",
        "--log-level",
        "warn",
    ]
    command += ["--listen-client-urls", url, "--advertise-client-urls", url]
    command += [
        "--listen-peer-urls",
        peer,
        "--initial-advertise-peer-urls",
        peer,
        "--initial-cluster",
        f"default={peer}",
    ]
    # Stopped by SIGKILL: the data is thrown away, and an orderly end waits for the API server's watches.
    return process.start("etcd", command, log=folder / "etcd.log", stop=signal.SIGKILL, grace=5)


def apiserver_arguments(folder: Path, authority: Authority, pair: Pair, address: str, port: int) -> list[str]:
    return [
        f"--bind-address={address}",
        f"--secure-port={port}",
        f"--tls-cert-file={pair.certificate}",
        f"--tls-private-key-file={pair.key}",
        f"--client-ca-file={authority.certificate}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
    ]


def write_account_keys(folder: Path) -> None:
    """The key pair that signs ServiceAccount tokens: accounts.key and accounts.pub."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(folder / "accounts.key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(private)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "accounts.pub").write_bytes(public)


def ready(server: process.Server, cluster: Cluster) -> bool:
    """Whether the API server says it is ready. Raises DiedEarly through the waiting when it has ended."""
    if not server.running():
        raise process.DiedEarly(server.tail())
    pair = cluster.authority.folder
    context = ssl.create_default_context(cafile=str(cluster.ca_file))
    context.load_cert_chain(pair / "person-admin.crt", pair / "person-admin.key")
    with urllib.request.urlopen(f"{cluster.server}/readyz", context=context, timeout=5) as answer:
        return bool(answer.status == 200)


@contextmanager
def running() -> Iterator[ControlPlane]:
    """A control plane of one's own."""
    with process.workshop("control-plane") as folder:
        plane = ControlPlane(folder)
        try:
            yield plane
        finally:
            plane.stop()


def _packed(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
