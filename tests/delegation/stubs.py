"""The Python code of pemba.v1, generated from proto/ into a folder that goes with the process.

Importing this module makes `pemba.v1` importable. The types of authzed.api.v1 are those of the `authzed` package.
"""

import atexit
import importlib.resources
import pathlib
import shutil
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def generate():
    """Generates the code and returns its folder."""
    folder = tempfile.mkdtemp(prefix="pemba-stubs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    proto = CHECKOUT / "proto"
    files = sorted(str(path) for path in (proto / "pemba" / "v1").glob("*.proto"))
    well_known = importlib.resources.files(grpc_tools) / "_proto"
    arguments = [f"-I{proto}", f"-I{well_known}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *arguments, *files]) != 0:
        raise RuntimeError("protoc refused the files of proto/pemba/v1")
    return folder


sys.path.insert(0, generate())
