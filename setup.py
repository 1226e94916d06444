"""The compiled part. All else about the package stands in pyproject.toml.

Where there is no C compiler the package is made without it, and its Python twin serves.
"""

import hashlib
from pathlib import Path

from setuptools import Extension, setup

KITS = Path("proxy_image/src/tollhouse_proxy/kits")
SOURCE = KITS / "_native.pyx"


def extensions() -> list[Extension]:
    """The compiled part of the proxy; none where its source is not (the operator's image)."""
    if not SOURCE.exists():
        return []
    included = [SOURCE, *sorted(KITS.glob("_native_*.pxi"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in included)).hexdigest()
    return [
        Extension(
            "tollhouse_proxy.kits._native",
            [str(SOURCE)],
            depends=[str(path) for path in included],
            define_macros=[("TOLLHOUSE_SOURCE", f'"{digest}"')],
            extra_compile_args=["-O3"],
            optional=True,
        )
    ]


setup(ext_modules=extensions())
