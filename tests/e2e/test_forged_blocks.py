"""One of two TRON nodes invents a deposit: nothing is credited, a metric says so, and honest deposits are credited once it is
honest again."""

import concurrent.futures
import subprocess

import grpc
import pytest

from bank import DEADLINE_S, SUN, Bank, Gateway
from devchain import Devchain
from formats import Signer
from harness import Ledger
from processes import BIN_DIR, wait_until
from tron import api_pb2, contract_pb2, core_pb2
from tron_chain import base58check, block_id, transactions_root

INVENTED = 777 * SUN


class ForgingNode(grpc.GenericRpcHandler):
    """Passes every call on to a node; while it forges, each block that it gives holds one deposit more."""

    def __init__(self, upstream):
        self._channel = grpc.insecure_channel(upstream)
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers([self])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self.change = None  # of a block, or None: it is honest

    def service(self, details):
        def answer(request, context):
            given = self._channel.unary_unary(details.method)(request, timeout=DEADLINE_S)
            if not self.change or not details.method.endswith(("/GetBlockByNum2", "/GetNowBlock2")):
                return given
            block = api_pb2.BlockExtention.FromString(given)
            if block.block_header.raw_data.number:
                self.change(block)
            return block.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)

    def stop(self):
        self._server.stop(None).wait()
        self._channel.close()


def invented_deposit(source, custody, owner):
    contract = core_pb2.Transaction.Contract(type=core_pb2.Transaction.Contract.TransferContract)
    contract.parameter.type_url = "type.googleapis.com/protocol.TransferContract"
    contract.parameter.value = contract_pb2.TransferContract(
        owner_address=source.address, to_address=custody.address, amount=INVENTED
    ).SerializeToString()
    transaction = core_pb2.Transaction(
        raw_data=core_pb2.Transaction.raw(data=owner.key.hex().encode(), contract=[contract], expiration=1, timestamp=1),
        signature=[bytes(65)],
    )
    transaction.ret.add(contractRet=core_pb2.Transaction.Result.SUCCESS)
    return transaction


def with_wrong_root(block, transaction):
    """Its header stays as it was."""
    block.transactions.add(transaction=transaction)


def with_right_root(block, transaction):
    """Its header is made anew, and so its id; its witness never signed it."""
    with_wrong_root(block, transaction)
    block.block_header.raw_data.txTrieRoot = transactions_root([member.transaction for member in block.transactions])
    block.blockid = block_id(block.block_header)


@pytest.fixture
def forger(postgres, tmp_path):
    """A node that can forge, and what makes a bank whose gateway is told to read it."""
    custody, rich = Signer(), Signer()
    chain = Devchain(tmp_path, rich)
    node = ForgingNode(chain.address)
    ledger = Ledger(postgres, tmp_path, genesis__custody_address=base58check(custody.address)).start()
    gateways = []

    def bank(**options):
        gateways.append(Gateway(ledger, chain, custody, tmp_path, **options))
        made = Bank(ledger, chain, gateways[0], custody, rich)
        made.deposit(ledger.keys.gateway, 1_000 * SUN)
        return made

    yield node, bank
    for gateway in gateways:
        gateway.kill()
    ledger.kill_all()
    node.stop()
    chain.stop()


def check_nothing_is_credited(bank, node, change, reason):
    """While the node forges; -> the owner of an honest deposit made meanwhile, and of the invented one."""
    thief, owner = Signer(), Signer()
    transaction = invented_deposit(bank.rich, bank.custody, thief)
    node.change = lambda block: change(block, transaction)
    counted = [f'chain_forged_total{{endpoint="{node.address}",reason="{reason}"}}']
    if reason == "contradiction":  # which of the two is wrong shows only where the node contradicts itself
        counted.append("chain_disagreements_total")
    wait_until(lambda: any(map(bank.gateway.metric, counted)), "the forgery to be counted", DEADLINE_S)
    bank.chain.place_of(bank.chain.transfer(bank.rich, bank.custody.address, 5 * SUN, owner.key.hex().encode()))
    bank.wait_blocks(20)
    with bank.ledger.client() as client:
        assert bank.available(client, thief) == bank.available(client, owner) == 0
    node.change = None
    return owner, thief


def check_honest_ones_are(bank, owner, thief):
    with bank.ledger.client() as client:
        wait_until(lambda: bank.available(client, owner) == 5 * SUN, "the honest deposit", DEADLINE_S)
        assert bank.available(client, thief) == 0
    wait_until(lambda: bank.gateway.difference() == 0, "custody to be reconciled", DEADLINE_S)


# Where the header is made anew, the node's own ids do not link to one another.
@pytest.mark.parametrize("change, reason", [(with_wrong_root, "hash"), (with_right_root, "contradiction")])
def test_one_of_two_nodes_forges(forger, change, reason):
    node, make = forger
    bank = make(tron__more_nodes=node.address)
    owner, thief = check_nothing_is_credited(bank, node, change, reason)
    assert reason == "contradiction" or "set_aside" in bank.gateway.log()
    bank.gateway.kill()  # who was set aside stays so for an hour, but not across a restart
    bank.gateway.start()
    check_honest_ones_are(bank, owner, thief)


def test_the_only_node_forges_and_has_no_witness(forger, tmp_path):
    node, make = forger
    witness = Signer(bytes.fromhex((tmp_path / "devchain" / "witness.key").read_text().strip()))
    bank = make(tron__full_node=node.address, tron__witnesses=base58check(witness.address))
    check_honest_ones_are(bank, *check_nothing_is_credited(bank, node, with_right_root, "witnesses"))


def test_the_only_node_is_good_for_a_ceiling(forger):
    node, make = forger
    bank = make(gateway__single_node_ceilings=f"TRX {1_010 * SUN}")
    first, second = Signer(), Signer()
    bank.deposit(first, 6 * SUN)
    bank.chain.place_of(bank.chain.transfer(bank.rich, bank.custody.address, 5 * SUN, second.key.hex().encode()))
    wait_until(lambda: bank.gateway.metric("deposits_waiting") == 1, "the scan to wait", DEADLINE_S)
    with bank.ledger.client() as client:
        assert bank.available(client, second) == 0
    assert "gateway.single_node_ceilings" in bank.gateway.log()


def check_config(*more):
    options = {
        "database.url": "x",
        "tron.full_node": "127.0.0.1:50051",
        "gateway.key_file": "x",
        "gateway.custody": base58check(Signer().address),
        "gateway.withdrawals": "BTT,TRX",
        **dict(more),
    }
    command = [BIN_DIR / "windlass-anchor", "--check-config", *(f"--{name}={value}" for name, value in options.items())]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    "more, named",
    [
        ((), "name a second one in tron.more_nodes"),
        ([("gateway.single_node_ceilings", "TRX 5")], "has none for BTT"),
        ([("gateway.single_node_ceilings", "TRX 5,BTT")], "write an asset's symbol and a number"),
        ([("tron.more_nodes", "127.0.0.1:2"), ("tron.min_agreeing", 1)], "at least 2 must agree"),
        ([("tron.more_nodes", "127.0.0.1:2"), ("tron.witnesses", "T1")], "tron.witnesses: T1"),
        ([("tron.more_nodes", "127.0.0.1:2"), ("tron.min_witnesses", 1)], "tron.witnesses lists 0"),
        ([("tron.more_nodes", "127.0.0.1:2"), ("gateway.cold", "T1")], "gateway.cold: T1"),
    ],
)
def test_the_configuration_says_whose_word_is_missing(more, named):
    assert named in check_config(*more)


def test_a_configuration_that_trusts_nobody_alone_is_good():
    assert not check_config(("gateway.single_node_ceilings", "TRX 5,BTT 6"))
    witness = base58check(Signer().address)
    assert not check_config(("tron.more_nodes", "127.0.0.1:2"), ("tron.witnesses", f"{witness}/{witness}"))
