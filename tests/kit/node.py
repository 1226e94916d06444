"""A whole cluster on this machine: control plane, one node, pods, Services and DNS. Needs root.

The node lives in process, mount and network namespaces of its own. They end with their first process
(`kit.reaper`), and everything in them with it: a killed test run leaves no pod, mount or interface behind.
Pods reach each other, the API server and nothing outside. Its network enforces no NetworkPolicy.

Needs Debian's containerd, runc, containernetworking-plugins, iptables, nftables, conntrack, iproute2 and what
`kit.images` needs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit import images, node_files, process, reaper, wait
from kit.cache import MissingPart, cache_root, locked
from kit.control_plane import (
    FIRST_SERVICE,
    NAMES,
    SERVICES,
    Cluster,
    apiserver_arguments,
    ready,
    write_account_keys,
)
from kit.kube_programs import coredns_program, etcd_program, kube_program
from kit.pki import Authority

# A private network between this machine and the node; the kit's lock lets only one node up at a time.
OUTSIDE, INSIDE, PREFIX = "10.201.0.1", "10.201.0.2", 24
INTERFACE = "thkit0"
NAME = "node1"
ETCD = "http://127.0.0.1:2379"
NEEDED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "buildah": "buildah",
    "cc": "gcc libc6-dev",
}
NETWORK_PROGRAMS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
PAUSE = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"
CGROUP = "tollhouse-kit"
CTR = ("ctr", "-a", "/run/containerd/containerd.sock")


class Node(Cluster):
    """A running one-node cluster; `server` is reachable from this machine."""

    def __init__(self, folder: Path) -> None:
        check_machine()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._servers: list[process.Server] = []
        self._cgroups = _make_cgroups()
        self._first = self._start_namespaces()
        try:
            super().__init__(
                f"https://{INSIDE}:6443", Authority(folder / "pki", "tollhouse-test-node-ca"), folder
            )
            self._prepare()
            self._start_control_plane()
            self._start_runtime()
            self._start_node()
        except BaseException:
            self.stop()
            raise

    def load(self, image: str, *names: str) -> str:
        """Bring an image that `kit.images` built to the node; `names` are further names it gets there."""
        self._inside(*CTR, "-n", "k8s.io", "images", "import", images.archive(image))
        for name in names:
            self._inside(*CTR, "-n", "k8s.io", "images", "tag", "--force", image, name)
        return image

    def run_inside(self, *command: str | Path) -> str:
        """Run a program on the node (its processes, mounts and network) and give its output."""
        return self._inside(*command)

    def first_process(self) -> int:
        """The machine's process id of the node's first process; /proc/PID/root is the node's file system."""
        return self._pid

    def logs(self) -> list[Path]:
        """The logs of the node's own parts: API server, controllers, kubelet, containerd and so on."""
        return sorted(self._folder.glob("*.log"))

    def stop(self) -> None:
        """End every process of the node, and with them its mounts and its network."""
        for server in [self._first, *self._servers]:
            server.stop()
        # The kernel keeps a network with half-closed connections for a while; our end of it goes now.
        subprocess.run(["ip", "link", "del", INTERFACE], capture_output=True, check=False)
        wait.until(self._no_cgroups, what="the node's control groups are empty")

    def _no_cgroups(self) -> bool:
        return sum(not _remove_cgroup(group) for group in self._cgroups) == 0

    def _start_namespaces(self) -> process.Server:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command += [sys.executable, "-I", "-S", reaper.__file__]
        server = process.start(
            "node",
            command,
            log=self._folder / "node.log",
            stop=signal.SIGKILL,
            remove=[self._folder, *self._cgroups],
        )
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        self._pid = wait.until(lambda: int(children.read_text().split()[0]), what="the node's first process")
        wait.until(self._separate, what="the node's namespaces are its own")
        return server

    def _separate(self) -> bool:
        """Whether /proc inside shows the node's own processes (the last thing that unshare sets up)."""
        return b"reaper" in Path(f"/proc/{self._pid}/cmdline").read_bytes()

    def _entering(self, *command: str | Path) -> list[str]:
        return ["nsenter", f"--target={self._pid}", "--mount", "--net", "--pid", "--", *map(str, command)]

    def _inside(self, *command: str | Path, check: bool = True) -> str:
        done = subprocess.run(self._entering(*command), capture_output=True, text=True, check=False)
        if check and done.returncode:
            words = " ".join(map(str, command))
            raise process.DiedEarly(f"`{words}` on the node: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def _start(self, name: str, *command: str | Path) -> process.Server:
        log = self._folder / f"{name}.log"
        server = process.start(name, self._entering(*command), log=log, stop=signal.SIGKILL)
        self._servers.append(server)
        return server

    def _prepare(self) -> None:
        folder = self._folder
        for place in ("cni", "podlogs", "kubelet", "sysctl"):
            (folder / place).mkdir()
        # What a node writes outside its own folder goes to memory and is seen by nobody else.
        for place in ("/run", "/var/log", "/var/lib/cni"):
            Path(place).mkdir(parents=True, exist_ok=True)
            self._inside("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
        for name, value in node_files.SYSCTLS.items():
            file = folder / "sysctl" / name.replace("/", ".")
            file.write_text(f"{value}\n")
            self._inside("mount", "--bind", file, f"/proc/sys/{name}")
        self._inside("mount", "--make-rshared", "/")
        subprocess.run(["ip", "link", "del", INTERFACE], capture_output=True, check=False)
        _run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", "eth0", "netns", str(self._pid))
        _run("ip", "addr", "add", f"{OUTSIDE}/{PREFIX}", "dev", INTERFACE)
        _run("ip", "link", "set", INTERFACE, "up")
        self._inside("ip", "addr", "add", f"{INSIDE}/{PREFIX}", "dev", "eth0")
        for interface in ("eth0", "lo"):
            self._inside("ip", "link", "set", interface, "up")
        self._inside("ip", "route", "add", "default", "via", OUTSIDE)
        self._inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self._inside("sh", "-c", "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables", check=False)

    def _start_control_plane(self) -> None:
        folder, authority = self._folder, self.authority
        write_account_keys(folder)
        self._start(
            "etcd",
            etcd_program(),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        pair = authority.server("apiserver", names=NAMES, addresses=("127.0.0.1", INSIDE, FIRST_SERVICE))
        kubelets = authority.client("apiserver-kubelet", "kube-apiserver-kubelet-client", ["system:masters"])
        self.apiserver = self._start(
            "apiserver",
            kube_program("kube-apiserver"),
            f"--etcd-servers={ETCD}",
            *apiserver_arguments(folder, authority, pair, "0.0.0.0", 6443),
            f"--advertise-address={INSIDE}",
            "--enable-admission-plugins=NodeRestriction",
            f"--kubelet-client-certificate={kubelets.certificate}",
            f"--kubelet-client-key={kubelets.key}",
            f"--kubelet-certificate-authority={authority.certificate}",
            "--kubelet-preferred-address-types=InternalIP",
        )
        wait.until(lambda: ready(self.apiserver, self), within=90, what="kube-apiserver is ready", every=0.1)
        self._start(
            "controllers",
            kube_program("kube-controller-manager"),
            f"--kubeconfig={self.person('system:kube-controller-manager')}",
            f"--service-account-private-key-file={folder / 'accounts.key'}",
            f"--root-ca-file={authority.certificate}",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={node_files.PODS}",
            f"--service-cluster-ip-range={SERVICES}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        )
        scheduler = self.person("system:kube-scheduler")
        self._start(
            "scheduler",
            kube_program("kube-scheduler"),
            f"--kubeconfig={scheduler}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        )

    def _start_runtime(self) -> None:
        folder = self._folder
        pause = pause_image()
        programs = next((Path(place) for place in NETWORK_PROGRAMS if Path(place).is_dir()), None)
        if programs is None:
            raise MissingPart("the CNI bridge plugin", "apt-get install containernetworking-plugins")
        runc = Path(shutil.which("runc") or "/usr/sbin/runc")
        (folder / "containerd.toml").write_text(node_files.containerd(folder, programs, runc, pause))
        (folder / "cni" / "10-bridge.conflist").write_text(node_files.network(folder))
        runtime = self._start("containerd", "containerd", "--config", folder / "containerd.toml")

        def answers() -> bool:
            runtime.check()
            return bool(self._inside(*CTR, "version", check=False))

        wait.until(answers, within=60, what="containerd answers", every=0.1)
        self.load(pause)

    def _start_node(self) -> None:
        folder, authority = self._folder, self.authority
        pair = authority.server(
            "kubelet",
            names=(NAME,),
            addresses=(INSIDE,),
            subject=f"system:node:{NAME}",
            groups=["system:nodes"],
        )
        (folder / "resolv.conf").write_text(f"nameserver {OUTSIDE}\n")
        settings = node_files.kubelet(folder, authority.certificate, pair.certificate, pair.key, CGROUP)
        (folder / "kubelet.json").write_text(settings)
        self.kubelet = self._start(
            "kubelet",
            kube_program("kubelet"),
            f"--config={folder / 'kubelet.json'}",
            f"--kubeconfig={self.person(f'system:node:{NAME}', ['system:nodes'])}",
            f"--hostname-override={NAME}",
            f"--node-ip={INSIDE}",
            f"--root-dir={folder / 'kubelet'}",
            f"--cert-dir={folder / 'kubelet-pki'}",
        )
        self._start(
            "kube-proxy",
            kube_program("kube-proxy"),
            f"--kubeconfig={self.person('system:kube-proxy')}",
            f"--hostname-override={NAME}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={node_files.PODS}",
            "--conntrack-max-per-core=0",
        )
        wait.until(self._node_ready, within=90, what="the node is Ready", every=0.2)
        self.apply(*node_files.dns(self.load(images.single_file("coredns", coredns_program()))))
        rollout = ["rollout", "status", "-n", "kube-system", "deployment/coredns", "--timeout=90s"]
        self.kubectl(*rollout, check=True, within=100)

    def _node_ready(self) -> bool:
        self.kubelet.check()
        path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "node", NAME, "-o", path).stdout == "True"


def check_machine() -> None:
    """Raise MissingPart when this machine cannot carry a node."""
    if os.geteuid() != 0:
        raise MissingPart("root", "a node needs it; or set KUBECONFIG to a cluster that you have")
    for name, package in NEEDED.items():
        if shutil.which(name) is None:
            raise MissingPart(name, f"apt-get install {package}")


def pause_image() -> str:
    """The image that holds a pod's network open: a program that waits."""
    place = cache_root() / "pause"
    place.mkdir(exist_ok=True)
    if not (place / "pause").exists():
        with tempfile.TemporaryDirectory(dir=place) as made:
            command = ["cc", "-static", "-O2", "-x", "c", "-o", f"{made}/pause", "-"]
            done = subprocess.run(command, input=PAUSE, text=True, capture_output=True, check=False)
            if done.returncode:
                raise MissingPart("a C library to link statically", "apt-get install gcc libc6-dev")
            Path(made, "pause").rename(place / "pause")
    return images.single_file("pause", place / "pause")


@contextmanager
def running() -> Iterator[Node]:
    """A node of one's own; a second test run on this machine waits until the first is done with its own."""
    with locked("node"), process.workshop("node") as folder:
        node = Node(folder)
        try:
            yield node
        finally:
            node.stop()


def _make_cgroups() -> list[Path]:
    """The cgroup under which all pods run: one folder per hierarchy (version 1) or one (version 2)."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        made = [root / CGROUP]
    else:
        hierarchies = [place for place in root.iterdir() if place.is_dir() and not place.is_symlink()]
        made = [place / CGROUP for place in hierarchies]
    kept = []
    for group in made:
        _remove_cgroup(group)
        with contextlib.suppress(OSError):
            group.mkdir(exist_ok=True)
            kept.append(group)
        if group.name == CGROUP and group.parent.name == "cpuset":
            _inherit_cpus(group)
    return kept


def _inherit_cpus(group: Path) -> None:
    """A new cpuset group of version 1 has no CPUs; give it its parent's."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        (group / name).write_text((group.parent / name).read_text())


def _remove_cgroup(group: Path) -> bool:
    for place, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)
    return not group.exists()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise process.DiedEarly(f"`{' '.join(command)}`: {done.stderr.strip()}")
