import os
import pathlib
import random
import secrets
import shutil
import sys
import tempfile

import pytest

# The formats and the processes that the compatibility tests have, too.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))

import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "server(**options): options of the ledger server, `__` for their dot")


@pytest.fixture(scope="session")
def directory():
    """Short, because a unix socket's path is; readable to the user that Postgres runs as."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="windlass-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def postgres(directory):
    cluster = harness.Postgres(directory / "pg")
    yield cluster
    cluster.stop_immediately()


@pytest.fixture
def rng(request):
    """The test's random choices, by a seed that is printed and can be given."""
    seed = os.environ.get("WINDLASS_SEED") or secrets.token_hex(4)
    print(f"WINDLASS_SEED={seed}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def ledger(postgres, tmp_path, request):
    """A running ledger that nobody else uses; @pytest.mark.server(option=...) configures it."""
    marker = request.node.get_closest_marker("server")
    ledger = harness.Ledger(postgres, tmp_path, **(marker.kwargs if marker else {}))
    yield ledger.start()
    ledger.kill_all()


@pytest.fixture(scope="module")
def shared_ledger(postgres, tmp_path_factory):
    """A running ledger for all tests of a module, each with keys of its own."""
    ledger = harness.Ledger(postgres, tmp_path_factory.mktemp("ledger"))
    yield ledger.start()
    ledger.kill_all()
