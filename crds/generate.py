"""Writes the CRDs and the API reference from the models.

    python crds/generate.py            writes crds/*.yaml, the chart's copies and docs/reference/*.md
    python crds/generate.py --check    changes nothing; fails if something would change

`--crds DIR`, `--chart DIR` and `--reference DIR` write elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "proxy_image" / "src"))

from tollhouse_core.api.crds import definitions  # noqa: E402
from tollhouse_core.api.reference import pages  # noqa: E402

CHART = ROOT / "charts" / "tollhouse" / "files" / "crds"
EXAMPLES = ROOT / "tests" / "core" / "api" / "examples"
SHOWN = {
    "Connection": "connection",
    "AccessPolicy": "access-policy",
    "ApprovalRequest": "approval-request",
    "IdentityProvider": "identity-provider-oidc",
    "AuditSink": "audit-sink-file",
    "Revocation": "revocation",
    "ClusterRevocation": "cluster-revocation",
}
HEADER = "# Generated from the API types by crds/generate.py; edit those and run it again.\n"


class Plain(yaml.SafeDumper):
    """Writes what is said twice twice, not as an anchor."""

    def ignore_aliases(self, data: object) -> bool:
        """Always."""
        return True


def say(words: str) -> None:
    """One line for whoever runs this."""
    sys.stdout.write(f"{words}\n")


def examples() -> dict[str, str]:
    """A spec of each kind, of those that tests try on a real API server."""
    return {
        kind: (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").partition("\nstatus:")[0]
        for kind, name in SHOWN.items()
    }


def outputs(crds: Path, chart: Path, reference: Path) -> Iterator[tuple[Path, str]]:
    """Every generated file with its text."""
    for name, definition in definitions().items():
        text = yaml.dump(definition, Dumper=Plain, sort_keys=False, width=110)
        yield crds / f"{name}.yaml", HEADER + text
        # Helm packages no file from outside the chart, and no link to one.
        yield chart / f"{name}.yaml", HEADER + text
    for name, text in pages(examples()).items():
        yield reference / f"{name}.md", text


def main() -> int:
    """The exit status: 1 if --check found a difference."""
    parser = argparse.ArgumentParser(description="Write the CRDs and the API reference.")
    parser.add_argument("--check", action="store_true", help="only say what would change")
    parser.add_argument("--crds", type=Path, default=ROOT / "crds", metavar="DIR")
    parser.add_argument("--chart", type=Path, default=CHART, metavar="DIR")
    parser.add_argument("--reference", type=Path, default=ROOT / "docs" / "reference", metavar="DIR")
    arguments = parser.parse_args()
    stale = [
        (path, text)
        for path, text in outputs(arguments.crds, arguments.chart, arguments.reference)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        say(f"{path} is not what the API types say" if arguments.check else f"wrote {path}")
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale and arguments.check:
        say("run: python crds/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
