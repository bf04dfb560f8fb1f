"""Deposits that a wallet on tronweb makes and signs: their bytes are a chain's, and each is credited to its owner."""

import json
import subprocess
import time

import grpc
import pytest

import devchain
from client import DEADLINE_S, Ledger, command_pb2, query_pb2
from conftest import genesis_of
from devchain import Devchain
from formats import Signer, decode_envelope
from nodetools import run_node
from processes import BIN_DIR, Process, free_address, wait_until, write_secret
from tron import core_pb2
from tron_chain import base58check, sender, transaction_id

TOKENS = {"TRX": "", "BTT": devchain.BTT, "BTT20": devchain.BTT20}
UNITS = 25_000_000  # of the ledger
CREDITED_DEADLINE_S = 60


def tronweb(command, *arguments, **given):
    """-> its answers"""
    done = run_node("tronweb_wallet.cjs", command, *arguments, stdin=json.dumps(given))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def people():
    return {name: Signer() for name in ("custody", "depositor")}


@pytest.fixture(scope="module")
def chain(directory, people):
    chain = Devchain(directory, people["depositor"])
    yield chain
    assert chain.stop() == 0


@pytest.fixture(scope="module")
def bank(start_server, postgres, directory, roles, people, chain):
    """A ledger whose gateway credits deposits -> a client of it"""
    custody = base58check(people["custody"].address)
    genesis = {**genesis_of(roles), "custody_address": custody, "btt20_contract": devchain.BTT20}
    server = start_server("tronweb", genesis=genesis)
    options = {
        "ledger.address": server.grpc_address,
        "database.url": postgres.url("tronweb", "windlass_anchor"),
        "tron.full_node": chain.address,
        "tron.poll_interval_ms": 50,
        "gateway.key_file": write_secret(directory / "tronweb-gateway.key", roles.gateway.secret_hex()),
        "gateway.custody": custody,
        "gateway.start_block": 1,
        "gateway.single_node_ceilings": ",".join(f"{symbol} {10**15}" for symbol in TOKENS),
        "metrics.listen": free_address(),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    gateway = Process([BIN_DIR / "windlass-anchor", *flags], directory / "tronweb-gateway.log")
    with grpc.insecure_channel(server.grpc_address) as channel:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE_S)
        yield Ledger(channel)
    assert gateway.stop() == 0


def reference(chain):
    """What tronweb asks of a node before it makes a transaction."""
    block, now_ms = chain.solid_head().blockid.hex(), time.time_ns() // 1_000_000
    return {
        "ref_block_bytes": block[12:16],
        "ref_block_hash": block[16:32],
        "expiration": now_ms + 60_000,
        "timestamp": now_ms,
    }


def deposit(chain, depositor, to, *transfers):
    """Made and signed by tronweb, broadcast -> their ids"""
    made = tronweb("sign", key=depositor.secret_hex(), to=to, reference=reference(chain), transfers=transfers)
    for one in made:
        raw = bytes.fromhex(one["raw"])
        transaction = core_pb2.Transaction(signature=[bytes.fromhex(one["signature"])])
        transaction.raw_data.ParseFromString(raw)
        assert transaction.raw_data.SerializeToString() == raw and transaction_id(transaction).hex() == one["id"]
        assert sender(transaction) == depositor.address
        chain.broadcast(transaction)
    return [bytes.fromhex(one["id"]) for one in made]


def credits_of(bank):
    """By the transaction that made the deposit."""
    size = bank.query.GetLedger(query_pb2.GetLedgerRequest(), timeout=DEADLINE_S).size
    commands = (command_pb2.Command.FromString(decode_envelope(entry.envelope)[0]) for entry in bank.entries(0, size))
    return {command.credit.transaction_id: command.credit for command in commands if command.HasField("credit")}


@pytest.mark.parametrize("named_by", ["memo", "signature"])
def test_its_deposits_of_every_kind_are_credited_to_their_owner(bank, chain, people, named_by):
    depositor, custody = people["depositor"], people["custody"]
    owner, memo = (Signer(), True) if named_by == "memo" else (depositor, False)
    assets = [bank.assets[symbol] for symbol in TOKENS]
    transfers = [
        {
            "token": asset.token,
            "amount": str(UNITS * asset.chain_units),
            **({"memo": owner.key.hex()} if memo else {}),
        }
        for asset in assets
    ]
    ids = deposit(chain, depositor, base58check(custody.address), *transfers)
    wait_until(lambda: credits_of(bank).keys() >= set(ids), "the deposits are credited", CREDITED_DEADLINE_S)
    for asset, id in zip(assets, ids, strict=True):
        credit = credits_of(bank)[id]
        assert (credit.asset, credit.owner, credit.source) == (asset.number, owner.key, depositor.address)
        assert bank.balance(owner.key, asset.number) == (UNITS, 0, 0)


def test_it_derives_the_same_address_from_a_key(tmp_path):
    signer = Signer()
    assert tronweb("address", signer.secret_hex()) == [{"address": base58check(signer.address)}]
    file = tmp_path / "key"
    made = subprocess.run(
        [BIN_DIR / "windlass", "--key", file, "key", "new", "--json"], capture_output=True, text=True, check=True
    )
    assert tronweb("address", file.read_text().strip()) == [{"address": json.loads(made.stdout)["address"]}]
