"""The whole of it: ledger, devchain and anchoring worker; an entry proven up to a solidified TRON transaction."""

import json
import re
import subprocess

import grpc
import pytest

from client import Ledger, command_pb2, log_pb2
from conftest import genesis_of
from formats import SEAL, Signer, decode_envelope, open_checkpoint
from merkle import check_consistency, root_from_inclusion
from processes import BIN_DIR, Process, free_address, wait_until, write_secret
from tron_chain import Node, base58check, block_id, call_of, check_anchor, transaction_id, transactions_root

BLOCK_INTERVAL_MS = 200
SOLID_AFTER = 2
TRX = 1_000_000  # sun
ANCHORED_DEADLINE_S = 30


@pytest.fixture(scope="module", params=["contract", "memo"])
def form(request):
    """How the ledger is anchored."""
    return request.param


by_contract = pytest.mark.parametrize("form", ["contract"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def people(form):
    return {name: Signer() for name in ("custody", "depositor", "payee")}


@pytest.fixture(scope="module")
def node(form, directory, roles, people):
    """A devchain on which the anchor's account and the depositor have TRX."""
    rich = [roles.anchor, roles.operator, people["custody"], people["depositor"]]
    accounts = [{"address": base58check(signer.address), "balance_sun": str(10_000 * TRX)} for signer in rich]
    genesis = directory / f"devchain-{form}.json"
    genesis.write_text(json.dumps({"accounts": accounts}))
    log = directory / f"devchain-{form}.log"
    arguments = ["--dir", directory / f"devchain-{form}", "--genesis", genesis, "--listen", "127.0.0.1:0"]
    timing = ["--block-interval-ms", BLOCK_INTERVAL_MS, "--solid-after", SOLID_AFTER]
    process = Process([BIN_DIR / "windlass-devchain", *arguments, *timing], log)
    found = process.wait_for(lambda: re.search(r"listening on (\S+)", log.read_text()), "listens")
    chain = Node(found[1])
    chain.address = found[1]
    yield chain
    chain.close()
    assert process.stop() == 0


@pytest.fixture(scope="module")
def anchor_options(form, postgres, directory, roles, people, node):
    return {
        "database.url": postgres.url(f"anchored_{form}", "windlass_anchor"),
        "tron.full_node": node.address,
        "tron.poll_interval_ms": 100,
        "anchor.key_file": write_secret(directory / f"anchor-{form}.key", roles.anchor.secret_hex()),
        "anchor.interval_ms": 1000,
        "gateway.key_file": write_secret(directory / f"gateway-{form}.key", roles.gateway.secret_hex()),
        "gateway.custody": base58check(people["custody"].address),
        "gateway.single_node_ceilings": f"BTT {10**15},TRX {10**15}",
    }


def run_anchor(*arguments):
    return subprocess.run(
        [BIN_DIR / "windlass-anchor", *arguments], capture_output=True, text=True, timeout=ANCHORED_DEADLINE_S
    )


def flags(options):
    return [f"--{name}={value}" for name, value in options.items()]


@pytest.fixture(scope="module")
def contract(form, anchor_options, node):
    """Deployed by the one command for it -> its address, base58; None for memos."""
    if form == "memo":
        return None
    run = run_anchor("deploy-contract", *flags(anchor_options))
    assert run.returncode == 0, run.stderr
    assert "costs" in run.stdout.splitlines()[0], "before it is sent"
    return re.search(r'contract = "(T\w{33})"', run.stdout)[1]


@pytest.fixture(scope="module")
def anchored_ledger(form, start_server, directory, roles, people, node, anchor_options, contract):
    genesis = {
        **genesis_of(roles),
        "anchor_address": base58check(roles.anchor.address),
        "custody_address": base58check(people["custody"].address),
        **({"anchor_contract": contract} if contract else {}),
    }
    server = start_server(f"anchored_{form}", genesis=genesis)
    where = {"anchor.contract": contract} if contract else {"anchor.to": base58check(roles.operator.address)}
    listening = {"ledger.address": server.grpc_address, "metrics.listen": free_address()}
    log = directory / f"windlass-anchor-{form}.log"
    anchor = Process([BIN_DIR / "windlass-anchor", *flags({**anchor_options, **where, **listening})], log)
    with grpc.insecure_channel(server.grpc_address) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        yield Ledger(channel)
    assert anchor.stop() == 0


@pytest.fixture(scope="module")
def deposited(anchored_ledger, node, people):
    """A deposit of TRX to custody with the owner's key in its memo -> (owner, sun, the transaction's id), credited."""
    owner, sun = Signer(), 25 * TRX
    memo = b"0x" + owner.key.hex().upper().encode()
    txid = node.transfer(people["depositor"], people["custody"].address, sun, memo)
    asset = anchored_ledger.assets["TRX"].number
    wait_until(lambda: known(anchored_ledger, owner.key), "the deposit is credited", ANCHORED_DEADLINE_S)
    assert anchored_ledger.balance(owner.key, asset) == (sun // anchored_ledger.assets["TRX"].chain_units, 0, 0)
    return owner, sun, txid


def known(ledger, key):
    try:
        return ledger.account(key)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        return None


@pytest.fixture(scope="module")
def anchored(anchored_ledger, deposited, people):
    """A payment out of the deposit -> (its acknowledgement, the first solidified anchor that covers it)"""
    trx = anchored_ledger.assets["TRX"].number
    transfer = command_pb2.Transfer(asset=trx, recipient=people["payee"].key, amount=TRX)
    paid = anchored_ledger.submit(deposited[0], promise=True, transfer=transfer)

    def covering():
        request = log_pb2.ListAnchorsRequest(covering=paid.sequence, solidified_only=True, page_size=1)
        return anchored_ledger.log.ListAnchors(request, timeout=5).anchors

    return paid, wait_until(covering, "a solidified anchor that covers the payment", ANCHORED_DEADLINE_S)[0]


def test_a_deposit_s_credit_names_its_transaction(anchored_ledger, node, people, deposited):
    owner, sun, txid = deposited
    entry = anchored_ledger.entries(anchored_ledger.account(owner.key).last_sequence, 1)[0]
    credit = command_pb2.Command.FromString(decode_envelope(entry.envelope)[0]).credit
    assert (int.from_bytes(credit.amount, "big"), credit.owner) == (sun, owner.key)
    assert (credit.transaction_id, credit.source) == (txid, people["depositor"].address)
    assert credit.block == node.solid_info(txid).blockNumber


def test_the_anchor_is_a_transaction_of_those_whom_genesis_names(form, anchored_ledger, node, anchored):
    genesis = command_pb2.Command.FromString(decode_envelope(anchored_ledger.entry(0).envelope)[0]).genesis
    assert check_anchor(node, genesis, anchored[1]) == form


def test_an_anchor_costs_as_much_as_it_is_said_to(form, node, anchored):
    """With the day's free bandwidth used up or not."""
    info = node.solid_info(anchored[1].transaction_id)
    energy = {"contract": 1722, "memo": 0}[form]
    assert info.receipt.energy_usage_total == energy
    memo_fee = {"contract": 0, "memo": TRX}[form]
    bandwidth = {"contract": 344, "memo": 307}[form]
    assert (info.receipt.net_usage, info.receipt.net_fee) in ((bandwidth, 0), (0, bandwidth * 1000))
    assert info.fee == energy * 100 + info.receipt.net_fee + memo_fee


@by_contract
def test_a_key_can_be_limited_to_calls(contract, anchor_options, node, roles, people):
    caller = people["payee"].address
    run = run_anchor("limit-key", base58check(caller), *flags(anchor_options))
    assert run.returncode == 0, run.stderr
    account = node.solid_account(roles.anchor.address)
    [active] = account.active_permission
    assert (active.id, active.threshold, [key.address for key in active.keys]) == (2, 1, [caller])
    assert active.operations == bytes.fromhex("00000080") + bytes(28), "TriggerSmartContract alone"
    assert [key.address for key in account.owner_permission.keys] == [roles.anchor.address]


@by_contract
def test_a_second_contract_is_deployed_only_on_demand(contract, anchor_options):
    configured = flags({**anchor_options, "anchor.contract": contract})
    refused = run_anchor("deploy-contract", *configured)
    assert refused.returncode == 1 and "--again" in refused.stderr
    again = run_anchor("deploy-contract", "--again", *configured)
    assert again.returncode == 0, again.stderr
    assert contract not in again.stdout


def test_the_anchor_s_block_is_solid_and_holds_the_transaction(node, anchored):
    anchor = anchored[1]
    assert anchor.state == "solidified"
    assert anchor.block == node.solid_info(anchor.transaction_id).blockNumber
    assert anchor.block <= node.solid_head().block_header.raw_data.number
    block = node.solid_block(anchor.block)
    transactions = [member.transaction for member in block.transactions]
    assert anchor.transaction_id in [transaction_id(transaction) for transaction in transactions]
    assert block.block_header.raw_data.txTrieRoot == transactions_root(transactions)
    assert block.blockid == block_id(block.block_header)


def test_the_anchored_root_is_a_checkpoint_and_covers_the_payment(form, anchored_ledger, log_vkey, node, anchored):
    paid, anchor = anchored
    transaction = node.solid_transaction(anchor.transaction_id)
    if form == "memo":
        said = transaction.raw_data.data
    else:
        said = call_of(transaction).data[4 + 24 :]  # behind the selector and the size's padding
    size, root = int.from_bytes(said[:8], "big"), said[8:]
    checkpoint = open_checkpoint(anchor.checkpoint, log_vkey)
    assert (checkpoint.size, checkpoint.root) == (size, root)
    proof = anchored_ledger.inclusion(paid.sequence, size)
    assert root_from_inclusion(paid.leaf_hash, paid.sequence, size, proof.path) == root


def test_the_newest_checkpoint_is_consistent_with_the_anchored_one(anchored_ledger, log_vkey, people, anchored):
    anchor = anchored[1]
    newest = open_checkpoint(anchored_ledger.checkpoint_note(anchor.size), log_vkey)
    proof = anchored_ledger.consistency(anchor.size, newest.size)
    check_consistency(anchor.size, anchor.root, newest.size, newest.root, proof.path)


def test_the_seal_before_the_anchor_names_a_solid_block(anchored_ledger, node, anchored):
    anchor = anchored[1]
    seals = [entry for entry in anchored_ledger.entries(0, anchor.size) if entry.kind == SEAL]
    seal = command_pb2.Command.FromString(decode_envelope(seals[-1].envelope)[0]).seal
    number = int.from_bytes(seal.block_id[:8], "big")
    assert node.solid_block(number).blockid == seal.block_id
    assert number <= anchor.block
    assert seals[-1].sequence < anchor.size
