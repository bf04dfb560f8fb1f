"""A client of one ledger: signs commands, submits them, and checks what it is answered."""

import itertools
import time

import stubs  # noqa: F401  (makes the generated modules importable)
from formats import (
    AccountPosting,
    Leaf,
    chain_amount,
    decode_posting,
    leaf_hash,
    open_promise,
    posting_root_of,
    root_from_inclusion,
    signing_tag,
)
from windlass.v1 import admin_pb2_grpc, command_pb2, ledger_pb2, ledger_pb2_grpc, log_pb2, log_pb2_grpc
from windlass.v1 import query_pb2, query_pb2_grpc

DEADLINE_S = 20
HOUR_US = 3_600_000_000
TRON = 1


def now_us():
    return time.time_ns() // 1000


def altered(signed, **changes):
    """A copy of a signed command whose first signature has these fields instead."""
    copy = ledger_pb2.SignedCommand()
    copy.CopyFrom(signed)
    for name, value in changes.items():
        setattr(copy.signatures[0], name, value)
    return copy


class Ledger:
    def __init__(self, channel):
        self.channel = channel
        self.writes = ledger_pb2_grpc.LedgerStub(channel)
        self.admin = admin_pb2_grpc.AdminStub(channel)
        self.query = query_pb2_grpc.QueryStub(channel)
        self.log = log_pb2_grpc.LogStub(channel)
        # What a stranger may believe of the server is only what follows from entry 0.
        genesis = self.query.GetEntry(query_pb2.GetEntryRequest(sequence=0), timeout=DEADLINE_S)
        self.genesis_leaf_hash = leaf_hash(genesis.leaf)
        self.info = self.query.GetLedger(query_pb2.GetLedgerRequest(), timeout=DEADLINE_S)
        self.tag = signing_tag(self.info.origin, self.genesis_leaf_hash)
        self.vkey = self.info.log_vkey
        assets = self.query.ListAssets(query_pb2.ListAssetsRequest(), timeout=DEADLINE_S).assets
        self.assets = {asset.symbol: asset for asset in assets}
        self.btt = self.assets["BTT"].number
        self._blocks = itertools.count(1)
        self._nonces = itertools.count(time.time_ns())

    # Commands

    def command(self, **body):
        """The bytes to sign: command(transfer=Transfer(...)), nonce and expiry filled in where they are not given."""
        if "receipt" not in body:
            body = {"nonce": next(self._nonces), "expires_us": now_us() + HOUR_US, **body}
        return command_pb2.Command(**body).SerializeToString()

    def signed(self, command, *signers):
        signatures = [ledger_pb2.Signature(key=s.key, signature=s.sign(self.tag, command)) for s in signers]
        return ledger_pb2.SignedCommand(command=command, signatures=signatures)

    def submit_signed(self, signed, promise=False):
        request = ledger_pb2.SubmitRequest(command=signed, want_promise=promise)
        return self.writes.Submit(request, timeout=DEADLINE_S)

    def submit(self, signer, promise=False, **body):
        """-> Acknowledgement, verified"""
        return self.verified(self.submit_signed(self.signed(self.command(**body), signer), promise).accepted)

    def execute(self, signer, **body):
        request = ledger_pb2.SubmitRequest(command=self.signed(self.command(**body), signer))
        return self.verified(self.admin.Execute(request, timeout=DEADLINE_S).accepted)

    def submit_stream(self, *messages, promises=False):
        """Each message a list of signed commands -> each answer's list of results."""
        requests = (ledger_pb2.SubmitStreamRequest(commands=commands, want_promises=promises) for commands in messages)
        return [response.results for response in self.writes.SubmitStream(requests, timeout=DEADLINE_S)]

    def credit(self, gateway, owner, units):
        """A deposit of `units` BTT, as the gateway would credit it."""
        btt = self.assets["BTT"]
        return self.credit_chain_units(gateway, owner, units * btt.chain_units, btt)

    def credit_chain_units(self, gateway, owner, amount, asset):
        block = next(self._blocks)
        credit = command_pb2.Credit(
            asset=asset.number,
            amount=chain_amount(amount),
            owner=owner,
            chain=TRON,
            block=block,
            transaction_id=block.to_bytes(32, "big"),
            source=b"\x41" + bytes(20),
        )
        return self.execute(gateway, credit=credit)

    def transfer(self, recipient, amount, **more):
        return command_pb2.Transfer(asset=self.btt, recipient=recipient, amount=amount, **more)

    def receipt(self, channel, cumulative):
        return self.command(receipt=command_pb2.Receipt(channel=channel, cumulative=cumulative))

    # Reading

    def account(self, key):
        return self.query.GetAccount(query_pb2.GetAccountRequest(key=key), timeout=DEADLINE_S)

    def balance(self, key, asset=None):
        """-> (available, locked, held)"""
        for row in self.account(key).balances:
            if row.asset == (asset or self.btt):
                return row.available, row.locked, row.held
        return 0, 0, 0

    def terms(self, asset):
        """-> (minimum, fee, payable now, why none is taken) of withdrawals; nothing where none are offered"""
        answer = self.query.GetWithdrawalTerms(query_pb2.GetWithdrawalTermsRequest(), timeout=DEADLINE_S)
        for row in answer.terms:
            if row.asset == asset:
                return row.minimum, row.fee, row.payable_now, row.refuses
        return None

    def payment_channel(self, number):
        return self.query.GetChannel(query_pb2.GetChannelRequest(channel=number), timeout=DEADLINE_S)

    def entry(self, sequence, key=b""):
        return self.query.GetEntry(query_pb2.GetEntryRequest(sequence=sequence, key=key), timeout=DEADLINE_S)

    def entries(self, first, count):
        return list(self.query.ReadEntries(query_pb2.ReadEntriesRequest(first=first, count=count), timeout=DEADLINE_S))

    def checkpoint_note(self, minimum_size=0):
        request = log_pb2.GetCheckpointRequest(minimum_size=minimum_size)
        return self.log.GetCheckpoint(request, timeout=DEADLINE_S).note

    def inclusion(self, sequence, size=0):
        request = log_pb2.GetInclusionProofRequest(sequence=sequence, size=size)
        return self.log.GetInclusionProof(request, timeout=DEADLINE_S)

    def consistency(self, old_size, size=0):
        request = log_pb2.GetConsistencyProofRequest(old_size=old_size, size=size)
        return self.log.GetConsistencyProof(request, timeout=DEADLINE_S)

    # Checking

    def verified(self, acknowledgement):
        """The acknowledgement, once all that it says of itself has been recomputed."""
        leaf = Leaf.decode(acknowledgement.leaf)
        assert leaf.sequence == acknowledgement.sequence
        assert leaf.time_us == acknowledgement.time_us
        assert leaf_hash(acknowledgement.leaf) == acknowledgement.leaf_hash
        for shown in acknowledgement.postings:
            assert posting_root_of(shown) == leaf.postings_root
        if acknowledgement.HasField("promise"):
            self.check_promise(acknowledgement)
        return acknowledgement

    def check_promise(self, acknowledgement):
        given = acknowledgement.promise
        promise = open_promise(given.note, self.vkey)
        assert promise.origin == self.info.origin
        assert promise.first_sequence + given.index == acknowledgement.sequence
        root = root_from_inclusion(acknowledgement.leaf_hash, given.index, promise.count, given.path)
        assert root == promise.root
        return promise


def postings_of(shown):
    return [decode_posting(posting.posting) for posting in shown]


def account_postings(shown):
    return [posting for posting in postings_of(shown) if isinstance(posting, AccountPosting)]
