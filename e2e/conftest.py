"""The world of the journeys: a cluster with Tollhouse installed by its chart, a shop's database, a Vault.

The cluster is a node of our own (`kit.node`, root only), or the one KUBECONFIG names. There, images must be
where the cluster pulls them from: TOLLHOUSE_E2E_REGISTRY is the prefix (`registry.example/team`) under which
tollhouse-operator:e2e, tollhouse-proxy:e2e and tollhouse-e2e-parts:e2e were pushed.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit import images, node, wait
from kit.control_plane import Cluster
from kit.given_cluster import GivenCluster
from kit.kube_programs import helm_program
from kit.node import Node
from kit.pki import Authority
from kit.psql_session import PSQL, PsqlSession

TREE = Path(__file__).resolve().parents[1]
PARTS = TREE / "e2e" / "parts"
EXAMPLE = TREE / "examples" / "cluster"
SYSTEM = "tollhouse-system"
SHOP = "shop"
LEASE_SECONDS = 20
TOKEN = "/var/run/secrets/tollhouse/token"
TARGET = (
    "host=orders-db.shop.svc dbname=orders user=agent sslmode=verify-full"
    " sslrootcert=/var/run/secrets/tollhouse/ca.crt connect_timeout=10"
)
BAO_POLICY = """
path "database/creds/orders" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""
BAO_SETUP = """
export BAO_ADDR=http://127.0.0.1:8300 BAO_TOKEN="$BAO_DEV_ROOT_TOKEN_ID"
bao auth enable kubernetes
bao write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc
bao write auth/kubernetes/role/orders-db bound_service_account_names=orders-db-proxy \
  bound_service_account_namespaces=shop token_policies=orders-db token_ttl=10m
bao secrets enable database
"""


CUT = ("websocket: close", "error reading from error stream", "unexpected EOF")
"""What kubectl says when the stream of an exec breaks."""


@dataclass(frozen=True)
class World:
    """What a journey needs: the cluster, its people, agents with their psql, the secrets nobody may see."""

    cluster: Cluster
    node: Node | None
    superuser_password: str
    root_token: str
    found_secrets: set[str] = field(default_factory=set)

    def agent(self, name: str, *, options: str = "") -> PsqlSession:
        """A psql session in the pod of agent `name`, through the proxy, with the agent's own token."""
        # Through cat: psql as the command of `kubectl exec` itself may see its input end when it is quiet.
        script = f'export PGPASSWORD="$(cat {TOKEN})"; cat | {PSQL} "{TARGET} {options}" 2>&1'
        return PsqlSession(self._in_pod(name, "sh", "-c", script))

    def ask(self, name: str, sql: str) -> str:
        """What psql prints for `sql`, in a session of its own."""
        with self.agent(name) as session:
            return session.ask(sql)

    def run_in_pod(self, pod: str, script: str, *, namespace: str = SHOP, text: str | None = None) -> str:
        """What `script` prints. With `text` on its standard input it runs once; without, it must bear being
        run again: kubectl's stream is cut now and then for no reason of ours."""
        command = ["-n", namespace, pod, "--", "sh", "-ec", script]
        if text is not None:
            return self.cluster.kubectl("exec", "-i", *command, input=text, check=True).stdout
        for _ in range(4):
            done = self.cluster.kubectl("exec", *command, input="")
            if done.returncode == 0 or not any(words in done.stderr for words in CUT):
                break
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def superuser(self, sql: str, database: str = "orders") -> str:
        """Ask the database itself, past the proxy."""
        pod = "deployment/orders-postgres"
        script = (
            f'PGPASSWORD="$(cat /secret/superuser/password)" psql -X -A -t -h /tmp -U postgres -d {database}'
        )
        return self.run_in_pod(pod, f"{script} -v ON_ERROR_STOP=1", text=sql).strip()

    def bao(self, script: str, text: str | None = None) -> str:
        """Run the `bao` command line in OpenBao's pod as root; secrets go in through `text`."""
        setting = 'export BAO_ADDR=http://127.0.0.1:8300 BAO_TOKEN="$BAO_DEV_ROOT_TOKEN_ID"'
        return self.run_in_pod("deployment/openbao", f"{setting}\n{script}", namespace="vault", text=text)

    def leases(self) -> list[str]:
        """The leases of the database engine that are alive."""
        path = "sys/leases/lookup/database/creds/orders"
        listed = self.bao(f"bao list -format=json {path} || true").strip()
        return list(json.loads(listed)) if listed.startswith("[") else []

    def wait_for_request(self, *, but: Sequence[str] = ()) -> str:
        """The name of the newest pending ApprovalRequest that is not among `but`."""

        def look() -> str | None:
            found = self.objects("approvalrequests")
            names = [one["metadata"]["name"] for one in found if phase_of(one) in ("", "Pending")]
            return next((name for name in names if name not in but), None)

        return wait.until(look, within=60, what="a pending ApprovalRequest")

    def objects(self, kind: str, namespace: str = SHOP, *selectors: str) -> list[dict[str, Any]]:
        done = self.cluster.kubectl("get", kind, "-n", namespace, "-o", "json", *selectors, check=True)
        return list(json.loads(done.stdout)["items"])

    def vote(
        self, request: str, decision: str, *, user: str, reason: str = "e2e"
    ) -> subprocess.CompletedProcess[str]:
        patch = json.dumps({"spec": {"decision": decision, "reason": reason}})
        command = ["patch", "approvalrequest", request, "-n", SHOP, "--type", "merge", "-p", patch]
        return self.cluster.kubectl(*command, user=user)

    def proxies(self) -> list[str]:
        """The names of the proxy pods that are not on their way out."""
        found = self.objects("pods", SHOP, "-l", "tollhouse.dev/connection=orders-db")
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def wait_for_proxies(self, count: int = 2) -> list[str]:
        """The proxy pods, once `count` of them are Ready."""

        def look() -> list[str] | None:
            found = self.objects("pods", SHOP, "-l", "tollhouse.dev/connection=orders-db")
            ready = [pod["metadata"]["name"] for pod in found if is_ready(pod)]
            return ready if len(ready) == count == len(self.proxies()) else None

        return wait.until(look, within=90, what=f"{count} proxies are Ready", every=0.5)

    def wait_for_operator(self) -> None:
        self.cluster.kubectl(
            "rollout", "status", "-n", SYSTEM, "deployment", "--timeout=120s", check=True, within=130
        )

    def _in_pod(self, pod: str, *command: str) -> list[str]:
        return [*self.cluster.kubectl_command(), "exec", "-i", "-n", SHOP, pod, "--", *command]


def phase_of(request: dict[str, Any]) -> str:
    return str(request.get("status", {}).get("phase", ""))


def is_ready(pod: dict[str, Any]) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What must not be found anywhere is looked for when everything else has happened."""
    items.sort(key=lambda item: item.path.name == "test_no_secret_is_left.py")


FIGURES: list[str] = []


@pytest.fixture
def told() -> Callable[[str], None]:
    """Takes a measured figure; all of them are printed when the run is over."""
    return FIGURES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for figure in FIGURES:
        terminalreporter.write_line(f"measured: {figure}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    given = os.environ.get("KUBECONFIG")
    if given:
        found = GivenCluster(Path(given))
        assert found.reachable(), f"the cluster that KUBECONFIG={given} names does not answer"
        yield found
        return
    with node.running() as own:
        yield own


@pytest.fixture(scope="session")
def image_names(cluster: Cluster) -> dict[str, str]:
    """operator, proxy, parts: the images' names in the cluster."""
    names = {
        "operator": ("tollhouse-operator", TREE / "Dockerfile"),
        "proxy": ("tollhouse-proxy", TREE / "proxy_image" / "Dockerfile"),
        "parts": ("tollhouse-e2e-parts", PARTS / "Dockerfile"),
    }
    if not isinstance(cluster, Node):
        prefix = os.environ.get("TOLLHOUSE_E2E_REGISTRY")
        assert prefix, "TOLLHOUSE_E2E_REGISTRY must say where this cluster finds the images"
        return {part: f"{prefix}/{name}:e2e" for part, (name, _) in names.items()}
    made = {part: images.build(name, recipe) for part, (name, recipe) in names.items()}
    # The example's agent runs the image everybody has for psql; here ours takes its place.
    also = {"parts": ["docker.io/library/postgres:16"]}
    return {part: cluster.load(image, *also.get(part, [])) for part, image in made.items()}


@pytest.fixture(scope="session")
def tollhouse(cluster: Cluster, image_names: dict[str, str]) -> None:
    """The chart, installed as the README says."""
    values = ["--set", "proxy.drainSeconds=5"]
    for part in ("operator", "proxy"):
        repository, _, tag = image_names[part].rpartition(":")
        values += [
            "--set",
            f"{part}.image.repository={repository}",
            "--set-string",
            f"{part}.image.tag={tag}",
        ]
    command = [str(helm_program()), "install", "tollhouse", str(TREE / "charts" / "tollhouse")]
    command += ["--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "3m", *values]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        told = cluster.kubectl("get", "pods,events", "-n", SYSTEM).stdout
        logs = cluster.kubectl("logs", "-n", SYSTEM, "deployment/tollhouse-operator", "--tail=40")
        pytest.fail(f"helm install failed: {done.stderr}\n{told}\n{logs.stdout}{logs.stderr}")


@pytest.fixture(scope="session")
def world(
    cluster: Cluster, image_names: dict[str, str], tollhouse: None, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The shop: OpenBao and PostgreSQL as pods, the example applied, every pod Ready."""
    made = World(
        cluster,
        cluster if isinstance(cluster, Node) else None,
        superuser_password=secrets.token_hex(16),
        root_token=f"root-{secrets.token_hex(16)}",
    )
    _make_secrets(made, Authority(tmp_path_factory.mktemp("pki"), "backends-ca"))
    _apply_part(cluster, "backends.yaml", image_names)
    for namespace, name in ((SHOP, "orders-postgres"), ("vault", "openbao")):
        _rolled_out(cluster, namespace, name)
    _fill_database(made)
    _teach_openbao(made)
    cluster.kubectl("apply", "-f", EXAMPLE, check=True)
    _apply_part(cluster, "agents.yaml", image_names)
    ready = ["wait", "-n", SHOP, "--for=condition=Ready", "--timeout=120s"]
    wait.until(
        lambda: cluster.get("deployment", "orders-db-proxy", SHOP), within=60, what="the proxies' Deployment"
    )
    for what in ("connection/orders-db", "pod/triage", "pod/reporter"):
        done = cluster.kubectl(*ready, what, within=130)
        if done.returncode:
            pytest.fail(f"{what} is not Ready: {done.stderr}\n{_state(cluster)}")
    made.wait_for_proxies()
    return made


def _apply_part(cluster: Cluster, file: str, image_names: dict[str, str]) -> None:
    cluster.apply(
        (PARTS / file).read_text().replace("localhost/tollhouse-e2e-parts:e2e", image_names["parts"])
    )


def _make_secrets(world: World, authority: Authority) -> None:
    apply = world.cluster.apply
    for namespace in (SHOP, "vault"):
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for namespace, name in ((SHOP, "orders-postgres"), ("vault", "openbao")):
        pair = authority.server(name, names=(f"{name}.{namespace}.svc", "localhost"))
        files = {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()}
        apply(_secret(namespace, f"{name}-tls", files))
        apply(_secret(SHOP, f"{name}-ca", {"ca.crt": authority.certificate.read_text()}))
    apply(_secret(SHOP, "orders-postgres-superuser", {"password": world.superuser_password}))
    apply(_secret("vault", "openbao-root", {"BAO_DEV_ROOT_TOKEN_ID": world.root_token}))


def _secret(namespace: str, name: str, data: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


def _rolled_out(cluster: Cluster, namespace: str, name: str) -> None:
    command = ["rollout", "status", "-n", namespace, f"deployment/{name}", "--timeout=120s"]
    done = cluster.kubectl(*command, within=130)
    if done.returncode:
        pytest.fail(f"{name} did not start: {done.stderr}\n{_state(cluster)}")


def _fill_database(world: World) -> None:
    wait.until(lambda: world.superuser("SELECT 1", "postgres") == "1", within=60, what="the database answers")
    world.superuser("CREATE DATABASE orders", "postgres")
    world.superuser((PARTS / "shop.sql").read_text())


def _teach_openbao(world: World) -> None:
    world.bao(BAO_SETUP)
    world.bao("bao policy write orders-db -", text=BAO_POLICY)
    settings = {
        "plugin_name": "postgresql-database-plugin",
        "allowed_roles": "orders",
        "connection_url": "postgresql://{{username}}:{{password}}@orders-postgres.shop.svc/orders?sslmode=require",
        "username": "postgres",
        "password": world.superuser_password,
    }
    world.bao("bao write database/config/orders -", text=json.dumps(settings))
    login = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
    role = {
        "db_name": "orders",
        "creation_statements": [f"{login} IN ROLE shop_user"],
        "default_ttl": f"{LEASE_SECONDS}s",
        "max_ttl": "1h",
    }
    world.bao("bao write database/roles/orders -", text=json.dumps(role))


def _state(cluster: Cluster) -> str:
    """What a person would look at first."""
    parts = [
        cluster.kubectl("get", "pods", "-A", "-o", "wide").stdout,
        cluster.kubectl("get", "connections,accesspolicies", "-n", SHOP, "-o", "yaml").stdout[-4000:],
        cluster.kubectl("get", "events", "-n", SHOP, "--sort-by=.lastTimestamp").stdout[-3000:],
        cluster.kubectl("logs", "-n", SYSTEM, "deployment/tollhouse-operator", "--tail=40").stdout,
        cluster.kubectl("logs", "-n", SHOP, "-l", "tollhouse.dev/connection=orders-db", "--tail=40").stdout,
    ]
    return "\n".join(parts)
