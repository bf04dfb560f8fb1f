"""The Go programs of tests/compat/go, built with pinned modules; caches stay in build/, so only the first build is slow."""

import os
import subprocess
import sys
from pathlib import Path

from processes import SOURCE_DIR

SOURCES = SOURCE_DIR / "tests" / "compat" / "go"
# The historical BTFS library is a module of its own, so that it keeps the versions that it was released with.
MODULES = (SOURCES, SOURCES / "btfs")
BUILD = SOURCE_DIR / "build" / "go"
BUILD_DEADLINE_S = 900  # downloads included
RUN_DEADLINE_S = 60


def build_go_programs():
    """-> the directory of the binaries. No other Go, module or sum than go.mod and go.sum name."""
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -modcacherw",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOMODCACHE": str(BUILD / "modules"),
        "GOCACHE": str(BUILD / "cache"),
    }
    go = Path(sys.executable).parent / "go"
    for module in MODULES:
        built = subprocess.run(
            [go, "build", "-trimpath", "-o", f"{BUILD / 'bin'}/", "./..."],
            cwd=module, env=environment, capture_output=True, text=True, timeout=BUILD_DEADLINE_S, check=False,
        )  # fmt: skip
        assert built.returncode == 0, built.stderr
    return BUILD / "bin"


def run_go(program, **options):
    """-> (exit code, stdout, stderr)"""
    arguments = [f"-{name}={value}" for name, value in options.items()]
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False)
    return ran.returncode, ran.stdout, ran.stderr
