"""`python -m benchmarks [NAME ...]`: measure, print a table, write benchmarks/latest.json.

Names: userland, transactions, bulk, policy, ending, apply, held_up, connecting, waiting,
vault. Without names: all of these. Only when it is named: five_minutes, which takes them.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# The test kit starts the real parts; it lives with the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.measures import Measure, summary, table, write

LATEST = Path(__file__).with_name("latest.json")


def userland() -> Sequence[Measure]:
    from benchmarks import userland as one

    return one.measure()


def transactions() -> Sequence[Measure]:
    from benchmarks import transactions as one

    return one.measure()


def bulk() -> Sequence[Measure]:
    from benchmarks import bulk as one

    return one.measure()


def policy() -> Sequence[Measure]:
    from benchmarks import policy_latency as one

    return one.measure()


def apply() -> Sequence[Measure]:
    from benchmarks import apply_to_ready as one

    return one.measure()


def connecting() -> Sequence[Measure]:
    from benchmarks import connecting as one

    return one.measure()


def vault() -> Sequence[Measure]:
    from benchmarks import vault_chaos, vault_rotation

    return [*vault_chaos.measure(), *vault_rotation.measure()]


def waiting() -> Sequence[Measure]:
    from benchmarks import waiting as one

    return one.measure()


def held_up() -> Sequence[Measure]:
    from benchmarks import held_up as one

    return one.measure()


def ending() -> Sequence[Measure]:
    from benchmarks import ending as one

    return one.measure()


def five_minutes() -> Sequence[Measure]:
    from benchmarks import ending as one

    return one.measure_five_minutes()


ALL: dict[str, Callable[[], Sequence[Measure]]] = {
    "userland": userland,
    "transactions": transactions,
    "bulk": bulk,
    "policy": policy,
    "ending": ending,
    "apply": apply,
    "held_up": held_up,
    "connecting": connecting,
    "waiting": waiting,
    "vault": vault,
}
LONG: dict[str, Callable[[], Sequence[Measure]]] = {"five_minutes": five_minutes}


def _must_be_compiled() -> None:
    """Figures of the Python twins, or of a kernel of other source, would be taken for ours."""
    from tollhouse_proxy.kits import kernel

    folder = Path(kernel.__file__).parent
    source = [folder / "_native.pyx", *sorted(folder.glob("_native_*.pxi"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in source)).hexdigest()
    if not kernel.COMPILED or digest != kernel.native.SOURCE:
        sys.exit("the kernel is not compiled from the source here: python setup.py build_ext --inplace")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Tollhouse.")
    parser.add_argument(
        "names", nargs="*", choices=[*ALL, *LONG, []], help="what to measure; nothing: all that is short"
    )
    parser.add_argument("--output", type=Path, default=LATEST, help="where the JSON goes")
    given = parser.parse_args()
    _must_be_compiled()
    found: list[Measure] = []
    for name in given.names or ALL:
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True, file=sys.stderr)
        found += {**ALL, **LONG}[name]()
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    print(table(found))
    print(summary(found))
    write(found, given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
