"""An auditor's replay from postings alone: recomputes every leaf, follows every chain, adds up the money."""

from collections import defaultdict
from dataclasses import dataclass, field

from client import command_pb2
from formats import (
    NONE,
    PUBLIC_KINDS,
    SEAL,
    ZERO_HASH,
    AccountPosting,
    ChannelPosting,
    ChannelState,
    ClosingPosting,
    Histories,
    chain_amount,
    decode_envelope,
    decode_posting,
    historical_id,
    historical_messages,
    historical_signature_holds,
    make_leaf,
    salt,
    signature_holds,
    signing_tag,
    wire_fields,
)
from leaves import AccountLeaves
from liabilities import Owed, sealed_root
from merkle import leaf_hash


@dataclass
class Totals:
    """Of one asset."""

    dust: int = 0
    credited: int = 0
    paid: int = 0
    chain_fees: int = 0  # of what was paid


@dataclass
class Replay:
    tag: bytes = b""
    leaf_hashes: list = field(default_factory=list)
    histories: Histories = field(default_factory=Histories)
    leaves: AccountLeaves = field(default_factory=AccountLeaves)
    snapshots: int = 0  # that seals name, each found right
    owed: Owed = field(default_factory=Owed)
    liabilities: int = 0  # likewise
    payers: dict = field(default_factory=dict)  # of channels
    claimed: dict = field(default_factory=dict)  # open channels' -> what was claimed
    balances: dict = field(default_factory=dict)  # (account, asset) -> its last posting
    # What is set aside, and not ended: id -> its last posting. Channels, withdrawals and deposits of nobody.
    channels: dict = field(default_factory=dict)
    channel_assets: dict = field(default_factory=dict)
    purposes: dict = field(default_factory=dict)  # id -> the body that set it aside
    deposits: dict = field(default_factory=dict)  # id -> how much
    fees: dict = field(default_factory=dict)  # of withdrawals
    historical_ids: set = field(default_factory=set)  # of messages that became entries
    closed: dict = field(default_factory=dict)  # id -> the history hash in the closing posting
    last_sequence: dict = field(default_factory=dict)  # of accounts and of channels
    chain_units: dict = field(default_factory=dict)
    totals: dict = field(default_factory=lambda: defaultdict(Totals))
    time_us: int = 0
    btfs_asset: int = None  # the one that historical clients pay with

    def add(self, entry):
        """AssertionError where the entry is not what its leaf says, or does not follow from those before it."""
        assert entry.sequence == len(self.leaf_hashes)
        assert entry.time_us >= self.time_us
        self.time_us = entry.time_us
        self._check_leaf(entry)
        command, signers = self._check_signatures(entry)
        if entry.kind == SEAL:
            self._check_seal(entry.sequence, command.seal)
        self._note_assets(command)
        self._book(entry, command)
        self.leaves.add(entry, command, signers, self.histories)
        self._note_owed(entry, signers)

    def _note_owed(self, entry, signers):
        if entry.kind not in PUBLIC_KINDS:
            self.owed.note_secret(entry.sequence, entry.secret)
        changed = set()
        for posting in (decode_posting(shown.posting) for shown in entry.postings):
            if isinstance(posting, ChannelPosting):
                if self.purposes[posting.channel] != "open_channel":
                    continue
                if posting.channel == entry.sequence:
                    self.payers[posting.channel] = self.leaves.number_of(signers[0][0])
                if posting.channel in self.channels:
                    self.claimed[posting.channel] = posting.claimed
                changed.add((self.payers[posting.channel], self.channel_assets[posting.channel]))
            elif posting.asset:
                changed.add((posting.account, posting.asset))
            if isinstance(posting, ClosingPosting):
                self.claimed.pop(posting.channel, None)
        for account, asset in changed:
            row = self.balances[account, asset]
            claimed = sum(
                amount
                for id, amount in self.claimed.items()
                if (self.payers[id], self.channel_assets[id]) == (account, asset)
            )
            self.owed.note(entry.sequence, account, asset, row.available + row.locked + row.held - claimed)

    def _check_leaf(self, entry):
        postings = [shown.posting for shown in entry.postings]
        leaf = make_leaf(entry.sequence, entry.time_us, entry.kind, entry.envelope, postings, entry.secret)
        assert leaf.encode() == entry.leaf
        assert leaf_hash(entry.leaf) == entry.leaf_hash
        assert entry.envelope_salt == salt(entry.secret, 0)
        self.leaf_hashes.append(entry.leaf_hash)
        self.histories.add(entry.sequence, postings, entry.secret)

    def _check_signatures(self, entry):
        signed, signers = decode_envelope(entry.envelope)
        command = command_pb2.Command.FromString(signed)
        body = command.WhichOneof("body")
        if entry.sequence == 0:
            self.tag = signing_tag(command.genesis.origin, entry.leaf_hash)
        if messages := historical_messages(command, len(signers)):
            self._check_historical(command, messages, signers)
            return command, signers
        assert len(signers) == {"genesis": 0, "seal": 0, "rotate_key": 2}.get(body, 1)
        for key, signature in signers:
            assert signature_holds(key, self.tag, signed, signature)
        if body == "close_channel" and command.close_channel.HasField("last_receipt"):
            last = command.close_channel.last_receipt
            assert signature_holds(last.key, self.tag, last.command, last.signature)
        return command, signers

    def _check_historical(self, command, messages, signers):
        assert [key for key, _ in signers] == [key for key, _ in messages]
        for (key, message), (_, signature) in zip(messages, signers):
            assert historical_signature_holds(key, message, signature)
        extension = wire_fields(command.btfs_transfer)
        assert (command.nonce, command.expires_us) == (extension.get(5, 0), extension.get(6, 0))
        if id := historical_id(command):
            assert id not in self.historical_ids
            self.historical_ids.add(id)

    def _note_assets(self, command):
        for asset in [*command.genesis.assets, command.set_asset.asset]:
            if asset.number:
                self.chain_units[asset.number] = asset.chain_units
                if (asset.chain, asset.token, asset.chain_units) == (1, "1002000", 1) and self.btfs_asset is None:
                    self.btfs_asset = asset.number

    def _book(self, entry, command):
        before = self._money()
        postings = [decode_posting(shown.posting) for shown in entry.postings]
        self._check_order(postings)
        touched = set()
        for posting in postings:
            name = self._name(posting)
            assert posting.previous == self.last_sequence.get(name, NONE)
            touched.add(name)
            if isinstance(posting, ChannelPosting):
                self._book_channel(entry, command, posting)
            else:
                self._book_account(posting)
        for posting in postings:
            if isinstance(posting, ClosingPosting):
                self.closed[posting.channel] = posting.history_hash
                assert posting.history_hash == self.histories.channels[posting.channel]
                self.channels.pop(posting.channel, None)
        self.last_sequence.update((name, entry.sequence) for name in touched)
        body = command.WhichOneof("body")
        if body == "assign_deposit":
            del self.channels[command.assign_deposit.deposit]
        if body == "credit":
            self._book_credit(command.credit, before)
        elif body == "settle_withdrawal":
            self._book_settlement(command.settle_withdrawal, before)
        elif body == "book_chain_fees":
            self._book_chain_fees(command.book_chain_fees, before)
        else:
            assert self._money() == before

    def _name(self, posting):
        if isinstance(posting, ChannelPosting):
            return "channel", posting.channel
        return "account", posting.account

    def _check_order(self, postings):
        accounts = [(p.account, p.asset) for p in postings if isinstance(p, AccountPosting)]
        assert accounts == sorted(set(accounts))
        channels = [k for k, posting in enumerate(postings) if isinstance(posting, ChannelPosting)]
        assert channels in ([], [len(postings) - 1])

    def _book_account(self, posting):
        assert min(posting.available, posting.locked, posting.held) >= 0
        if posting.asset:
            self.balances[posting.account, posting.asset] = posting
        else:
            assert (posting.available, posting.locked, posting.held) == (0, 0, 0)

    def _book_channel(self, entry, command, posting):
        assert 0 <= posting.claimed <= posting.deposit
        if posting.channel == entry.sequence:
            body = command.WhichOneof("body")
            self.purposes[posting.channel] = body
            self.channel_assets[posting.channel] = (
                self.btfs_asset if body == "btfs_open_channel" else getattr(command, body).asset
            )
            if body == "withdraw":
                self.fees[posting.channel] = command.withdraw.fee
        if command.HasField("btfs_close_channel"):
            state = ChannelState.decode(command.btfs_close_channel)
            assert (posting.claimed, posting.deposit) == (state.to_balance, state.from_balance + state.to_balance)
        if command.HasField("btfs_withdraw"):
            self._become_withdrawal(command.btfs_withdraw, posting)
        self.channels[posting.channel] = posting
        self.deposits[posting.channel] = posting.deposit

    def _become_withdrawal(self, withdraw, posting):
        paid, given_back = (ChannelState.decode(state) for state in (withdraw.success_state, withdraw.failure_state))
        assert paid.channel == given_back.channel == posting.channel
        assert (paid.from_key, paid.to_key) == (given_back.from_key, given_back.to_key)
        assert (paid.from_balance, paid.to_balance) == (0, posting.deposit)
        assert (given_back.from_balance, given_back.to_balance) == (posting.deposit, 0)
        assert self.purposes[posting.channel] == "btfs_open_channel"
        self.purposes[posting.channel] = "withdraw"
        self.fees[posting.channel] = withdraw.fee

    def _book_credit(self, credit, before):
        totals, amount = self.totals[credit.asset], int.from_bytes(credit.amount, "big")
        units, dust = divmod(amount, self.chain_units[credit.asset])
        assert self._money()[credit.asset] - before[credit.asset] == units
        totals.dust += dust
        totals.credited += amount

    def _book_settlement(self, settle, before):
        """What left: the payment without the gateway's fee, and what the chain took, rounded up to a unit."""
        left = defaultdict(int)
        if settle.outcome == command_pb2.SettleWithdrawal.OUTCOME_PAID:
            asset = self.channel_assets[settle.withdrawal]
            left[asset] = self.deposits[settle.withdrawal] - self.fees[settle.withdrawal]
            self.totals[asset].paid += left[asset] * self.chain_units[asset]
        if fee := int.from_bytes(settle.chain_fee, "big"):
            left[settle.fee_asset] += self._pay_chain_fee(settle.fee_asset, fee)
        self._check_left(before, left)

    def _book_chain_fees(self, book, before):
        fee = int.from_bytes(book.cumulative, "big") - self.totals[book.asset].chain_fees
        assert fee > 0
        self._check_left(before, {book.asset: self._pay_chain_fee(book.asset, fee)})
        self.totals[book.asset].chain_fees += fee

    def _pay_chain_fee(self, asset, fee):
        units = -(-fee // self.chain_units[asset])
        self.totals[asset].dust += units * self.chain_units[asset] - fee
        self.totals[asset].paid += fee
        return units

    def _check_left(self, before, left):
        assert {asset: before[asset] - now for asset, now in self._money().items() if now != before[asset]} == left

    def available(self, asset):
        return sum(posting.available for (_, number), posting in self.balances.items() if number == asset)

    def in_channels(self, asset):
        """Deposits less claims."""
        return self._set_aside(asset, "open_channel") + self._set_aside(asset, "btfs_open_channel")

    def unassigned(self, asset):
        return self._set_aside(asset, "credit")

    def held(self, asset):
        held = sum(posting.held for (_, number), posting in self.balances.items() if number == asset)
        assert held == self._set_aside(asset, "withdraw")
        return held

    def _set_aside(self, asset, purpose):
        rows = [row for id, row in self.channels.items() if (self.channel_assets[id], self.purposes[id]) == (asset, purpose)]
        return sum(row.deposit - row.claimed for row in rows)

    def _parts(self, asset):
        return [self.available(asset), self.in_channels(asset), self.held(asset), self.unassigned(asset)]

    def _money(self):
        return {asset: sum(self._parts(asset)) for asset in self.chain_units}

    def open_channels(self):
        return sum(self.purposes[id] != "credit" for id in self.channels)

    def accounts(self):
        return sum(kind == "account" for kind, _ in self.last_sequence)

    def check_totals(self, rows):
        """Against windlass.v1.AssetTotals of the same moment."""
        assert [row.asset for row in rows] == sorted(self.chain_units)
        for row in rows:
            mine = self.totals[row.asset]
            wide = [int.from_bytes(value, "big") for value in (row.dust, row.credited, row.paid)]
            assert {len(value) for value in (row.dust, row.credited, row.paid)} == {16}
            narrow = [row.available, row.locked, row.held, row.unassigned]
            assert narrow == self._parts(row.asset)
            assert [*wide, row.chain_fees] == [mine.dust, mine.credited, mine.paid, chain_amount(mine.chain_fees)]
            assert sum(narrow) * self.chain_units[row.asset] + mine.dust == mine.credited - mine.paid

    def _check_seal(self, sequence, seal):
        self.check_totals(seal.totals)
        assert seal.accounts == self.accounts()
        assert len(seal.block_id) == len(seal.snapshot_root) == 32
        if seal.snapshot_root == ZERO_HASH:
            assert seal.snapshot_sequence == 0
        else:
            assert seal.snapshot_sequence < sequence
            assert seal.snapshot_root == self.leaves.root(seal.snapshot_sequence)
            self.snapshots += 1
        if seal.liabilities_root:
            assert seal.liabilities_sequence < sequence
            assert seal.liabilities_root == sealed_root(self.owed.liabilities(seal.liabilities_sequence))
            self.liabilities += 1
