"""The historical clients on a live server: what they pay, open, close and ask; the log proves all of it afterwards."""

import json
import os
import subprocess

import grpc
import pytest

import btfs_messages as btfs
from client import DEADLINE_S, Ledger
from formats import Signer, sha256
from gotools import RUN_DEADLINE_S
from nodetools import run_node
from processes import BIN_DIR, wait_until, write_secret
from windlass.v1 import query_pb2

ESCROW = Signer(sha256(b"escrow"))


@pytest.fixture(scope="module")
def server(start_server, directory):
    key_file = write_secret(directory / "escrow.key", ESCROW.secret_hex())
    return start_server("btfs_ledger", btfs__enabled="true", btfs__escrow_key_file=key_file)


@pytest.fixture(scope="module")
def ledger(server):
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield Ledger(channel)


@pytest.fixture(scope="module")
def run_wallet(go_programs, server):
    """run_wallet(command, option=...) -> (exit code, the lines that it printed)"""

    def run(command, **options):
        arguments = [f"-{name.replace('_', '-')}={value}" for name, value in options.items()]
        ran = subprocess.run(
            [go_programs / "btfs", command, f"-server=http://{server.grpc_address}", *arguments],
            capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False,
        )  # fmt: skip
        return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]

    return run


@pytest.fixture
def wallet(run_wallet):
    """wallet(command, option=...) -> the last line that it printed; it must succeed."""

    def run(command, **options):
        code, lines = run_wallet(command, **options)
        assert code == 0, lines
        return lines[-1]

    return run


@pytest.fixture
def parties(ledger, roles):
    """-> three signers that have 1,000,000 each: a payer, a recipient, and one that nobody names"""
    signers = [Signer() for _ in range(3)]
    for signer in signers:
        ledger.credit(roles.gateway, signer.key, 1_000_000)
    return signers


def log_size(ledger):
    return ledger.query.GetLedger(query_pb2.GetLedgerRequest(), timeout=DEADLINE_S).size


def windlass(server, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WINDLASS_")}
    environment |= {"WINDLASS_CHECKPOINTS": "off", "WINDLASS_HTTP": server.http}
    command = [BIN_DIR / "windlass", "--address", server.grpc_address, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def test_the_flow_of_the_historical_wallet(server, ledger, run_wallet, wallet, parties):
    payer, recipient, bystander = parties
    mine = {"key": payer.secret_hex()}
    theirs = {"address": btfs.address(recipient).hex()}
    ours = {**mine, "peer_key": recipient.secret_hex()}

    code, accounts = run_wallet("accounts", **ours)
    assert (code, [account["balance"] for account in accounts]) == (0, [1_000_000, 1_000_000])
    channel = wallet("open", **mine, **theirs, amount=100_000)["channel"]
    opened = wallet("info", channel=channel)
    assert (opened["from_balance"], opened["to_balance"], opened["close_sequence"]) == (100_000, 0, 0)
    assert ledger.balance(payer.key) == (900_000, 100_000, 0)

    state = {**ours, "channel": channel, "from": 60_000, "to": 40_000}
    assert run_wallet("close", **state, signers="from")[0] == 1
    wallet("close", **state)
    wallet("close", **state)  # as the client does until it hears that it holds
    ended = wallet("info", channel=channel)
    assert (ended["from_balance"], ended["to_balance"]) == (60_000, 40_000)
    assert ended["close_sequence"] > 0

    def listed():
        code, lines = run_wallet("closed", **mine)
        return lines[-1] if code == 0 else None

    assert wait_until(listed, "the closed channel to be listed") == {**ended, "call": "GetNextClosedChannel"}
    assert run_wallet("closed", **mine, after=ended["close_sequence"])[0] == 1

    assert wallet("transfer", **mine, **theirs, amount=5_000)["balance"] == 955_000
    assert wallet("pay", **mine, **theirs, amount=6_000)["balance"] == 949_000
    assert run_wallet("transfer", **mine, **theirs, amount=5_000)[0] == 1, "this very transfer was paid before"
    code, lines = run_wallet("pay", **mine, **theirs, amount=949_001)
    assert code == 1 and lines[-1]["error"].endswith("NSF")

    escrow = {"escrow_address": btfs.address(ESCROW).hex()}
    assert wallet("balance", **mine, **escrow)["balance"] == 949_000
    wrong = {"escrow_address": btfs.address(bystander).hex()}
    assert run_wallet("balance", **mine, **wrong)[0] == 1, "the client verifies it by the escrow's address"
    assert wallet("import", **theirs)["balance"] == 1_051_000
    assert ledger.balance(payer.key) == (949_000, 0, 0)
    assert ledger.balance(recipient.key) == (1_051_000, 0, 0)
    assert ledger.balance(bystander.key) == (1_000_000, 0, 0)

    audited = windlass(server, "audit", "--full")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    for signer in parties[:2]:
        history = windlass(server, "history", signer.key.hex(), "--verify")
        assert history.returncode == 0, history.stdout + history.stderr


def test_two_transfers_at_a_time_by_the_javascript_client(server, ledger, parties):
    """A minute of it: a payment and its fee in parallel, with looks at everybody's balance between them. The fee is the same
    amount each time, which the protocol cannot tell from a replay: it is paid once, and the client goes on."""
    payer, recipient, fee_recipient = parties
    size, rounds, amount = log_size(ledger), 60, 10_000
    interval_ms = 1000 if os.environ.get("WINDLASS_SOAK") else 20
    ran = run_node(
        "btfs_client.cjs", "run", server.grpc_address, payer.secret_hex(),
        btfs.address(recipient).hex(), btfs.address(fee_recipient).hex(), str(amount), str(rounds), str(interval_ms),
        deadline_s=4 * RUN_DEADLINE_S,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert all("error" not in answer for answer in answers if answer["call"] == "CreateAccount")
    sent = [answer for answer in answers if answer["call"] == "Transfer"]
    paid = [answer for answer in sent if answer["recipient"] == btfs.address(recipient).hex()]
    fees = [answer for answer in sent if answer["recipient"] == btfs.address(fee_recipient).hex()]
    assert (len(paid), len(fees)) == (rounds, rounds)
    assert all("error" not in answer for answer in paid)
    assert sorted(answer.get("code", 0) for answer in fees) == [0] + [grpc.StatusCode.ALREADY_EXISTS.value[0]] * (rounds - 1)
    total, fee = sum(range(amount, amount + rounds)), amount // 100
    assert ledger.balance(payer.key)[0] == 1_000_000 - total - fee
    assert ledger.balance(recipient.key)[0] == 1_000_000 + total
    assert ledger.balance(fee_recipient.key)[0] == 1_000_000 + fee
    assert log_size(ledger) == size + rounds + 1, "a look at a balance makes no account and no entry"
