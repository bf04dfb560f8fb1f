"""Generates the gRPC stubs from proto/ into the build directory and makes them importable (`import stubs` first)."""

import importlib.resources
import sys

from grpc_tools import protoc

from processes import BIN_DIR, SOURCE_DIR

_OUTPUT = BIN_DIR.parent / "compat" / "stubs"


def _generate():
    proto = SOURCE_DIR / "proto"
    sources = [str(path) for area in ("windlass/v1", "tron", "btfs") for path in sorted((proto / area).glob("*.proto"))]
    _OUTPUT.mkdir(parents=True, exist_ok=True)
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    arguments = [f"-I{proto}", f"-I{well_known}", f"--python_out={_OUTPUT}", f"--grpc_python_out={_OUTPUT}", *sources]
    if protoc.main(["protoc", *arguments]) != 0:
        raise RuntimeError("protoc refused proto/")
    sys.path.insert(0, str(_OUTPUT))


_generate()
