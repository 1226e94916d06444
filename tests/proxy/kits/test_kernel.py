"""Which implementation serves, and that the compiled one is that of the source here."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from kit import twins
from tollhouse_proxy.kits import frames, kernel, template

_KITS = Path(kernel.__file__).parent
_SOURCES = [_KITS / "_native.pyx", *sorted(_KITS.glob("_native_*.pxi"))]


def test_where_it_must_be_the_kernel_is_compiled() -> None:
    assert kernel.COMPILED or not twins.MUST_BE_COMPILED, (
        "python setup.py build_ext --inplace needs a C compiler"
    )


def test_people_are_told_when_it_is_not_compiled() -> None:
    assert bool(kernel.WARNING) is not kernel.COMPILED


def test_what_is_compiled_is_made_from_the_source_here() -> None:
    if kernel.COMPILED:
        words = "the compiled kernel is of another source: python setup.py build_ext --inplace"
        assert (
            hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()
            == kernel.native.SOURCE
        ), words


def test_without_the_compiled_module_the_twins_serve() -> None:
    program = """if True:
        import sys
        sys.modules["tollhouse_proxy.kits._native"] = None
        from tollhouse_proxy.kits import frames, kernel, rows, template
        assert not kernel.COMPILED and "not compiled" in kernel.WARNING
        assert kernel.template is template.template and kernel.run is frames.run
        assert kernel.mask_rows is rows.mask_rows
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_kernel_gives_what_its_twins_give() -> None:
    text = b"select 1, 'x'"
    assert kernel.template(text) == template.template(text)
    rows = kernel.kinds(b"D")
    assert kernel.run(b"D\0\0\0\4", 0, rows) == frames.run(b"D\0\0\0\4", 0, rows)
