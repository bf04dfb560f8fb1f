"""One private Postgres and one ledger server for the whole run, and a client of it that trusts neither."""

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from client import DEADLINE_S, HOUR_US, Ledger, now_us, query_pb2
from formats import Signer, sha256, signer_key, verifier_key_of_seed
from gotools import build_go_programs
from processes import Postgres, Server, wait_until

ORIGIN = "compat.windlass.test/log"
LOG_SEED = sha256(b"log")


@pytest.fixture(scope="session")
def directory(request):
    """Short, because a unix socket's path is; readable to the user that Postgres runs as. Kept when a test failed."""
    path = Path(tempfile.mkdtemp(prefix="windlass-"))
    path.chmod(0o755)
    yield path
    if request.session.testsfailed:
        print(f"\nthe programs' output is in {path}")
    else:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def postgres(directory):
    (directory / "pg").mkdir()
    cluster = Postgres(directory / "pg")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def roles():
    """The signers that genesis gives roles to."""
    return SimpleNamespace(
        **{name: Signer(sha256(name.encode())) for name in ("operator", "gateway", "anchor", "auditor")}
    )


def genesis_of(roles):
    return {f"{name}_key": signer.key.hex() for name, signer in vars(roles).items()}


@pytest.fixture(scope="session")
def start_server(postgres, directory, roles):
    """start_server(name, **options) -> Server; stopped, and required to stop well, at the end."""
    started = []

    def start(name, genesis=None, **options):
        log_key, genesis = signer_key(ORIGIN, LOG_SEED), genesis or genesis_of(roles)
        started.append(Server(postgres, directory / name, log_key, genesis, database=name, **options))
        return started[-1]

    yield start
    codes = [server.stop() for server in started]
    assert codes == [0] * len(codes)


@pytest.fixture(scope="session")
def server(start_server):
    return start_server("windlass")


@pytest.fixture(scope="session")
def offer(postgres, server, ledger):
    """offer(minimum, fee, payable, refuses): what a gateway says that it pays of BTT; the server has heard it."""

    def say(minimum=1_000, fee=10, payable=10**15, refuses=""):
        postgres.run_sql(
            "windlass",
            "windlass_anchor",
            "INSERT INTO gateway_terms VALUES "
            f"({ledger.btt}, '{refuses}', {minimum}, {fee}, {payable}, 'GATEWAY_OUT_OF_FUNDS', {now_us() + HOUR_US}, 1) "
            "ON CONFLICT (asset) DO UPDATE SET refuses = excluded.refuses, minimum = excluded.minimum, fee = excluded.fee, "
            "payable = excluded.payable, updated_us = excluded.updated_us",
        )
        held = ledger.query.GetTotals(query_pb2.GetTotalsRequest(), timeout=DEADLINE_S).totals[ledger.btt - 1].held
        payable_now = 0 if refuses else max(0, payable - held)
        wait_until(lambda: ledger.terms(ledger.btt) == (minimum, fee, payable_now, refuses), "the server to hear the terms")

    return say


@pytest.fixture(scope="session")
def go_programs():
    """Directory of the programs in tests/compat/go."""
    return build_go_programs()


@pytest.fixture(scope="session")
def log_vkey():
    """Computed from the seed: not asked from the server."""
    return verifier_key_of_seed(ORIGIN, LOG_SEED)


@pytest.fixture(scope="session")
def ledger(server):
    with grpc.insecure_channel(server.grpc_address) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        yield Ledger(channel)


@pytest.fixture(scope="session")
def funded(ledger, roles):
    """funded(units) -> a new signer whose account holds that much BTT."""

    def make(units=1_000_000_000):
        signer = Signer()
        ledger.credit(roles.gateway, signer.key, units)
        return signer

    return make
