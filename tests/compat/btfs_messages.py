"""Messages of the historical BTFS ledger, made and signed as its clients make them (docs/btfs.md)."""

import hashlib
import itertools
import time

import coincurve
from cryptography.hazmat.primitives.asymmetric import utils

import client
from btfs import escrow_pb2_grpc, ledger_pb2, ledger_pb2_grpc

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_payer_ids = itertools.count(time.time_ns())


def address(signer):
    """65 bytes: 04, X, Y"""
    return coincurve.PublicKey(signer.key).format(compressed=False)


def sign(signer, message):
    """DER over one SHA-256, deterministic and low-S."""
    return coincurve.PrivateKey(bytes.fromhex(signer.secret_hex())).sign(message)


def high_s(signature):
    r, s = utils.decode_dss_signature(signature)
    return utils.encode_dss_signature(r, CURVE_ORDER - s)


def random_nonce_signature(signer, message):
    """Another signature of the same message each time."""
    nonce = (hashlib.sha256(str(next(_payer_ids)).encode()).digest(),)
    library = coincurve.PrivateKey(bytes.fromhex(signer.secret_hex()))
    keep_alive = coincurve._libsecp256k1.ffi.new("unsigned char[32]", nonce[0])
    default = coincurve._libsecp256k1.ffi.NULL
    return library.sign(message, custom_nonce=(default, keep_alive))


def public_key(bytes_of_key):
    return ledger_pb2.PublicKey(key=bytes_of_key).SerializeToString()


def transfer(payer, recipient, amount, **more):
    """The bytes that are signed; payer and recipient are addresses."""
    return ledger_pb2.TransferRequest(
        payer=ledger_pb2.PublicKey(key=payer), recipient=ledger_pb2.PublicKey(key=recipient), amount=amount, **more
    ).SerializeToString()


def commit(payer, recipient, amount, payer_id=None):
    return ledger_pb2.ChannelCommit(
        payer=ledger_pb2.PublicKey(key=payer),
        recipient=ledger_pb2.PublicKey(key=recipient),
        amount=amount,
        payer_id=next(_payer_ids) if payer_id is None else payer_id,
    ).SerializeToString()


def state(channel, payer, kept, recipient, given, sequence=1):
    return ledger_pb2.ChannelState(
        id=ledger_pb2.ChannelID(id=channel),
        sequence=sequence,
        **{"from": ledger_pb2.Account(address=ledger_pb2.PublicKey(key=payer), balance=kept)},
        to=ledger_pb2.Account(address=ledger_pb2.PublicKey(key=recipient), balance=given),
    ).SerializeToString()


class Services:
    """ledger.Channels and escrow.EscrowService of a server. Signatures are those of the clients unless given."""

    def __init__(self, channel):
        self.channels = ledger_pb2_grpc.ChannelsStub(channel)
        self.escrow = escrow_pb2_grpc.EscrowServiceStub(channel)

    def transfer(self, message, signature):
        request = ledger_pb2.SignedTransferRequest(transfer_request=message, signature=signature)
        return self.channels.Transfer(request, timeout=client.DEADLINE_S).balance

    def pay(self, message, signature):
        request = ledger_pb2.SignedTransferRequest(transfer_request=message, signature=signature)
        return self.escrow.Pay(request, timeout=client.DEADLINE_S).balance

    def open(self, message, signature):
        request = ledger_pb2.SignedChannelCommit(channel=message, signature=signature)
        return self.channels.CreateChannel(request, timeout=client.DEADLINE_S).id

    def close(self, message, from_signature=b"", to_signature=b""):
        request = ledger_pb2.SignedChannelState(
            channel=message, from_signature=from_signature, to_signature=to_signature
        )
        return self.channels.CloseChannel(request, timeout=client.DEADLINE_S)

    def rotate(self, old_key, new_key, old_signature, new_signature):
        request = ledger_pb2.SignedPublicKeyPair(
            old_key=old_key, new_key=new_key, old_signature=old_signature, new_signature=new_signature
        )
        return self.channels.UpdateAccountPubKey(request, timeout=client.DEADLINE_S)

    def balance(self, key):
        """Anybody's, of an address."""
        return self.channels.CreateAccount(ledger_pb2.PublicKey(key=key), timeout=client.DEADLINE_S).account.balance
