"""`tollhouse login` against a real Keycloak: a person confirms the code in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.keycloak import PASSWORD, Keycloak
from kit.trusting import provider, trust
from real.keycloak.browsing import Browser
from tollhouse_core.secret import Secret
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_proxy.adapters.clock import SystemClock

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(1800)]
CLI = [sys.executable, "-m", "tollhouse_operator.cli"]


async def test_a_person_logs_in_and_a_proxy_knows_them(keycloak: Keycloak, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TOLLHOUSE_LOGINS": str(tmp_path / "logins"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [*CLI, "login", "--issuer", keycloak.issuer("corp"), "--client-id", "people"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    browser = Browser()
    page = browser.open(process.stderr.readline().strip().removeprefix("open "))
    page = browser.submit(page, username="ann", password=PASSWORD)
    page = browser.submit(page, accept="Yes")
    assert "successful" in page.lower()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "logged in" in out

    token = subprocess.run(
        [*CLI, "token", "--login"], env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    corp = provider("corp", oidc={"issuer": keycloak.issuer("corp"), "claims": {"user": "email"}})
    prover = TokenProver(lambda: trust(corp), SystemClock(), ProverSettings())
    assert (await prover.prove(Secret(token))).name == "ann@corp.example"
    await prover.close()
