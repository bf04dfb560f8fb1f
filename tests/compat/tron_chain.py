"""As much of TRON as it takes to look an anchor up and to make a deposit (docs/tron.md): addresses, ids, transfers."""

import dataclasses
import time

import coincurve
import grpc

import stubs  # noqa: F401  (makes the generated modules importable)
from formats import anchor_memo, keccak256, sha256, tron_address
from tron import api_pb2, api_pb2_grpc, contract_pb2, core_pb2

DEADLINE_S = 10
BLOCKS_PER_CALL = 100  # a node gives no more
CALL_FEE_LIMIT_SUN = 100_000_000
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58check(address):
    number = int.from_bytes(address + sha256(sha256(address))[:4], "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return digits  # an address begins with 0x41: no leading zeros to keep


def base58decode(text):
    """-> the address' 21 bytes"""
    number = 0
    for digit in text:
        number = number * 58 + _ALPHABET.index(digit)
    data = number.to_bytes(25, "big")
    assert sha256(sha256(data[:21]))[:4] == data[21:], f"{text} is no address"
    return data[:21]


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

    def solid_blocks(self):
        """All from block 1 on, in order."""
        end = self.solid_head().block_header.raw_data.number + 1
        for first in range(1, end, BLOCKS_PER_CALL):
            limit = api_pb2.BlockLimit(startNum=first, endNum=min(end, first + BLOCKS_PER_CALL))
            yield from self._full.GetBlockByLimitNext2(limit, timeout=DEADLINE_S).block

    def transfer(self, signer, to, sun, memo):
        """Sends TRX -> the transaction's id"""
        transfer = contract_pb2.TransferContract(owner_address=signer.address, to_address=to, amount=sun)
        return self.send(signer, transfer, memo)

    def transfer_trc10(self, signer, to, token, amount, memo):
        """Sends a TRC-10 token -> the transaction's id"""
        transfer = contract_pb2.TransferAssetContract(
            asset_name=token.encode(), owner_address=signer.address, to_address=to, amount=amount
        )
        return self.send(signer, transfer, memo)

    def transfer_trc20(self, signer, to, contract, amount, memo):
        """Calls a token's contract -> the transaction's id"""
        call = contract_pb2.TriggerSmartContract(
            owner_address=signer.address, contract_address=contract, data=token_transfer_call(to, amount)
        )
        return self.send(signer, call, memo, fee_limit=CALL_FEE_LIMIT_SUN)

    def send(self, signer, contract, memo, **more):
        """Signs and broadcasts a transaction that is this contract -> its id"""
        name, now_ms = contract.DESCRIPTOR.name, time.time_ns() // 1_000_000
        wrapped = core_pb2.Transaction.Contract(type=core_pb2.Transaction.Contract.ContractType.Value(name))
        wrapped.parameter.type_url = f"type.googleapis.com/protocol.{name}"
        wrapped.parameter.value = contract.SerializeToString()
        reference = self.solid_head().blockid
        raw = core_pb2.Transaction.raw(
            ref_block_bytes=reference[6:8],
            ref_block_hash=reference[8:16],
            expiration=now_ms + 60_000,
            data=memo,
            contract=[wrapped],
            timestamp=now_ms,
            **more,
        )
        transaction = core_pb2.Transaction(raw_data=raw)
        txid = transaction_id(transaction)
        transaction.signature.append(signer.sign_recoverable(txid))
        self.broadcast(transaction)
        return txid

    def broadcast(self, transaction):
        answer = self._full.BroadcastTransaction(transaction, timeout=DEADLINE_S)
        assert answer.result, answer


TOKEN_TRANSFER = keccak256(b"transfer(address,uint256)")[:4]


def token_transfer_call(to, amount):
    return TOKEN_TRANSFER + to[1:].rjust(32, b"\0") + amount.to_bytes(32, "big")


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


@dataclasses.dataclass(frozen=True)
class Movement:
    """What one transaction moved: TRX (`token` is ""), a TRC-10 (its id) or a TRC-20 (its contract's T... address)."""

    owner: bytes
    to: bytes
    token: str
    amount: int


def movement_of(transaction):
    """None where it moved nothing, in its own units, or failed."""
    [contract] = transaction.raw_data.contract
    kind, value = contract.type, contract.parameter.value
    if [ret.contractRet for ret in transaction.ret] != [core_pb2.Transaction.Result.SUCCESS]:
        return None
    if kind == core_pb2.Transaction.Contract.TransferContract:
        moved = contract_pb2.TransferContract.FromString(value)
        return Movement(moved.owner_address, moved.to_address, "", moved.amount)
    if kind == core_pb2.Transaction.Contract.TransferAssetContract:
        moved = contract_pb2.TransferAssetContract.FromString(value)
        return Movement(moved.owner_address, moved.to_address, moved.asset_name.decode(), moved.amount)
    call = contract_pb2.TriggerSmartContract.FromString(value)
    if kind != core_pb2.Transaction.Contract.TriggerSmartContract or call.data[:4] != TOKEN_TRANSFER:
        return None
    to, amount = b"\x41" + call.data[16:36], int.from_bytes(call.data[36:68], "big")
    return Movement(call.owner_address, to, base58check(call.contract_address), amount)


def transfer_of(transaction):
    [contract] = transaction.raw_data.contract
    assert contract.type == core_pb2.Transaction.Contract.TransferContract
    return contract_pb2.TransferContract.FromString(contract.parameter.value)
