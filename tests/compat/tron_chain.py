"""As much of TRON as it takes to look an anchor up and to make a deposit (docs/tron.md): addresses, ids, transfers."""

import time

import coincurve
import grpc

import stubs  # noqa: F401  (makes the generated modules importable)
from formats import anchor_memo, keccak256, sha256, tron_address
from tron import api_pb2, api_pb2_grpc, contract_pb2, core_pb2

DEADLINE_S = 10
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58check(address):
    number = int.from_bytes(address + sha256(sha256(address))[:4], "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return digits  # an address begins with 0x41: no leading zeros to keep


def transaction_id(transaction):
    return sha256(transaction.raw_data.SerializeToString())


def sender(transaction):
    """The address whose key signed it."""
    signature = transaction.signature[0]
    recoverable = signature[:64] + bytes([signature[64] % 27])
    key = coincurve.PublicKey.from_signature_and_message(recoverable, transaction_id(transaction), hasher=None)
    return tron_address(key.format())


def block_id(header):
    return header.raw_data.number.to_bytes(8, "big") + sha256(header.raw_data.SerializeToString())[8:]


def transactions_root(transactions):
    """Of whole transactions; an odd last node rises unchanged."""
    row = [sha256(transaction.SerializeToString()) for transaction in transactions]
    while len(row) > 1:
        row = [sha256(*row[i : i + 2]) if len(row) > i + 1 else row[i] for i in range(0, len(row), 2)]
    return row[0]


class Node:
    def __init__(self, address):
        self._channel = grpc.insecure_channel(address)
        grpc.channel_ready_future(self._channel).result(timeout=DEADLINE_S)
        self._full = api_pb2_grpc.WalletStub(self._channel)
        self._solid = api_pb2_grpc.WalletSolidityStub(self._channel)

    def close(self):
        self._channel.close()

    def solid_head(self):
        return self._solid.GetNowBlock2(api_pb2.EmptyMessage(), timeout=DEADLINE_S)

    def solid_block(self, number):
        return self._solid.GetBlockByNum2(api_pb2.NumberMessage(num=number), timeout=DEADLINE_S)

    def solid_transaction(self, txid):
        return self._solid.GetTransactionById(api_pb2.BytesMessage(value=txid), timeout=DEADLINE_S)

    def solid_info(self, txid):
        return self._solid.GetTransactionInfoById(api_pb2.BytesMessage(value=txid), timeout=DEADLINE_S)

    def solid_account(self, address):
        return self._solid.GetAccount(core_pb2.Account(address=address), timeout=DEADLINE_S)

    def transfer(self, signer, to, sun, memo):
        """Sends TRX -> the transaction's id"""
        contract = core_pb2.Transaction.Contract(type=core_pb2.Transaction.Contract.TransferContract)
        contract.parameter.type_url = "type.googleapis.com/protocol.TransferContract"
        contract.parameter.value = contract_pb2.TransferContract(
            owner_address=signer.address, to_address=to, amount=sun
        ).SerializeToString()
        head, now_ms = self.solid_head(), time.time_ns() // 1_000_000
        transaction = core_pb2.Transaction(
            raw_data=core_pb2.Transaction.raw(
                ref_block_bytes=head.blockid[6:8],
                ref_block_hash=head.blockid[8:16],
                expiration=now_ms + 60_000,
                data=memo,
                contract=[contract],
                timestamp=now_ms,
            )
        )
        txid = transaction_id(transaction)
        transaction.signature.append(signer.sign_recoverable(txid))
        answer = self._full.BroadcastTransaction(transaction, timeout=DEADLINE_S)
        assert answer.result, answer
        return txid


ANCHOR_CALL = keccak256(b"anchor(uint64,bytes32)")[:4]
ANCHORED = keccak256(b"Anchored(uint64,bytes32)")


def two_words(size, root):
    return size.to_bytes(32, "big") + root


def anchor_call(size, root):
    return ANCHOR_CALL + two_words(size, root)


def call_of(transaction):
    [contract] = transaction.raw_data.contract
    assert contract.type == core_pb2.Transaction.Contract.TriggerSmartContract
    return contract_pb2.TriggerSmartContract.FromString(contract.parameter.value)


def check_anchor(node, genesis, anchor):
    """The anchor stands on the chain, in either form (docs/formats.md, "On TRON")."""
    transaction, info = node.solid_transaction(anchor.transaction_id), node.solid_info(anchor.transaction_id)
    assert transaction_id(transaction) == anchor.transaction_id == info.id
    assert transaction.ret[0].contractRet == core_pb2.Transaction.Result.SUCCESS
    if transaction.raw_data.contract[0].type == core_pb2.Transaction.Contract.TransferContract:
        assert transfer_of(transaction).owner_address == sender(transaction) == genesis.anchor_address
        assert transaction.raw_data.data == anchor_memo(anchor.size, anchor.root)
        return "memo"
    call = call_of(transaction)
    assert call.contract_address == genesis.anchor_contract
    assert call.owner_address == sender(transaction) == genesis.anchor_address
    assert call.data == anchor_call(anchor.size, anchor.root)
    [log] = info.log
    assert (log.address, list(log.topics)) == (genesis.anchor_contract[1:], [ANCHORED])
    assert log.data == two_words(anchor.size, anchor.root)
    return "contract"


def transfer_of(transaction):
    [contract] = transaction.raw_data.contract
    assert contract.type == core_pb2.Transaction.Contract.TransferContract
    return contract_pb2.TransferContract.FromString(contract.parameter.value)
