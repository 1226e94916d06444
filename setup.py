"""The compiled part. All else about the package stands in pyproject.toml.

Where there is no C compiler the package is made without it, and its Python twin serves.
"""

import hashlib
from pathlib import Path

from setuptools import Extension, setup

SOURCE = Path("proxy_image/src/tollhouse_proxy/kits/_native.pyx")


def extensions() -> list[Extension]:
    """The compiled part of the proxy; none where its source is not (the operator's image)."""
    if not SOURCE.exists():
        return []
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()
    return [
        Extension(
            "tollhouse_proxy.kits._native",
            [str(SOURCE)],
            define_macros=[("TOLLHOUSE_SOURCE", f'"{digest}"')],
            extra_compile_args=["-O3"],
            optional=True,
        )
    ]


setup(ext_modules=extensions())
