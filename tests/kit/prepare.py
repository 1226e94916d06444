"""`python -m kit.prepare [--node] [--keycloak]`: fetch or build what tests need before a clock runs on them.

A test has two minutes; building a Kubernetes API server from source takes longer, once per machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from kit import images, keycloak, kube_programs, node, openbao, postgres
from kit.cache import MissingPart

FOR_TESTS: dict[str, Callable[[], object]] = {
    "OpenBao": openbao.program,
    "PostgreSQL 18": lambda: postgres.programs_of(18),
    "etcd": kube_programs.etcd_program,
    "kubectl": kube_programs.kubectl_program,
    "helm": kube_programs.helm_program,
    "kube-apiserver": lambda: kube_programs.kube_program("kube-apiserver"),
}
FOR_A_NODE: dict[str, Callable[[], object]] = {
    "a machine that can carry a node": node.check_machine,
    "kubelet": lambda: kube_programs.kube_program("kubelet"),
    "CoreDNS": kube_programs.coredns_program,
    "the base image": images.base_image,
    "the build image": images.build_image,
}
FOR_KEYCLOAK: dict[str, Callable[[], object]] = {"Keycloak": keycloak.program}
OPTIONAL = {"PostgreSQL 18"}  # tests that want it are left out, and say so


def main(arguments: list[str]) -> int:
    parts = FOR_KEYCLOAK if "--keycloak" in arguments else FOR_TESTS
    parts = parts | (FOR_A_NODE if "--node" in arguments else {})
    missing = False
    for name, get in parts.items():
        try:
            get()
        except MissingPart as error:
            missing |= name not in OPTIONAL
            print(f"kit: {error}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
