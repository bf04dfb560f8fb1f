"""Every account's leaf over a replay of entries, and the roots over them that seals name (docs/formats.md)."""

import bisect
from collections import defaultdict

from formats import (
    RECEIPT,
    Account,
    AccountPosting,
    ChannelPosting,
    ClosingPosting,
    account_leaf,
    decode_posting,
    historical_key,
    historical_messages,
    wire_fields,
)
from merkle import leaf_hash, root

KEPT_NONCES = 16
KEY_BYTES = 33


def keys_named(command):
    """Those of accounts that the command may bring into the ledger, in the order in which they get their numbers."""
    body = command.WhichOneof("body")
    if body == "genesis":
        return [command.genesis.operator_key, *(grant.key for grant in command.genesis.roles)]
    if body in ("btfs_transfer", "btfs_open_channel"):
        return [historical_key(wire_fields(getattr(command, body))[2])]
    if body == "transfer_list":
        recipients = command.transfer_list.recipients
        return [recipients[k : k + KEY_BYTES] for k in range(0, len(recipients), KEY_BYTES)]
    named = {
        "transfer": command.transfer.recipient,
        "open_channel": command.open_channel.recipient,
        "credit": command.credit.owner,
        "set_roles": command.set_roles.key,
        "assign_deposit": command.assign_deposit.owner,
    }
    return [named[body]] if named.get(body) else []


class AccountLeaves:
    def __init__(self):
        self._numbers = {}  # by every key there ever was
        self.accounts = []  # by number, as formats.Account
        self._channels = {}  # open: id -> [deposit, claimed, last sequence]
        self._payers = {}  # of channels
        self._open = defaultdict(set)  # account -> ids of its open channels
        self._versions = []  # by account: [(sequence, the leaf's hash from then on)]

    def number_of(self, key):
        return self._numbers[key]

    def add(self, entry, command, signers, histories):
        """`histories`: after this entry."""
        postings = [decode_posting(shown.posting) for shown in entry.postings]
        touched = {posting.account for posting in postings if isinstance(posting, AccountPosting)}
        self._note_keys(command, touched)
        touched |= self._note_signer(entry, command, signers)
        for posting in postings:
            touched |= self._book(entry, command, posting, signers)
        for number in touched:
            self._seal_leaf(entry.sequence, number, histories)

    def _note_keys(self, command, touched):
        for key in keys_named(command):
            if key not in self._numbers and len(self.accounts) in touched:
                self._numbers[key] = len(self.accounts)
                self.accounts.append(Account(key, {}, [], [], 0, bytes(32)))
                self._versions.append([])

    def _note_signer(self, entry, command, signers):
        """Who signs need not be touched, but its nonces are."""
        if not signers or entry.kind == RECEIPT:
            return set()
        if historical_messages(command, len(signers)):  # they have no nonces
            if command.HasField("btfs_rotate_key"):
                self._rotate(signers[0][0], historical_key(command.btfs_rotate_key.new_key))
            return set()
        number = self._numbers[signers[0][0]]
        account = self.accounts[number]
        account.nonces = sorted([*account.nonces, (command.nonce, entry.sequence)])[-KEPT_NONCES:]
        if command.HasField("rotate_key"):
            self._rotate(signers[0][0], command.rotate_key.new_key)
        if command.HasField("refuse_btfs"):
            account.refuses_btfs = True
        return {number}

    def _rotate(self, old_key, new_key):
        number = self._numbers[old_key]
        self.accounts[number].key = new_key
        self._numbers[new_key] = number

    def _book(self, entry, command, posting, signers):
        if isinstance(posting, ChannelPosting):
            number = posting.channel
            if number == entry.sequence and not command.HasField("credit"):  # nobody's deposit is in no leaf
                self._payers[number] = self._numbers[signers[0][0]]
                self._open[self._payers[number]].add(number)
            self._channels[number] = (posting.deposit, posting.claimed, entry.sequence)
            return {self._payers[number]} if number in self._payers else set()
        account = self.accounts[posting.account]
        account.last_sequence = entry.sequence
        if posting.asset:
            account.balances[posting.asset] = (posting.available, posting.locked, posting.held)
        if isinstance(posting, ClosingPosting):
            self._open[posting.account].discard(posting.channel)
        return set()

    def _seal_leaf(self, sequence, number, histories):
        account = self.accounts[number]
        account.history_hash = histories.accounts[number]
        account.channels = [(id, *self._channels[id], histories.channels[id]) for id in self._open[number]]
        self._versions[number].append((sequence, leaf_hash(account_leaf(account))))

    def root(self, sequence):
        """Over all accounts as that entry left them."""
        hashes = []
        for versions in self._versions:
            newest = bisect.bisect_right(versions, sequence, key=lambda version: version[0])
            if newest == 0:
                break  # as are all after it: numbers are given in order
            hashes.append(versions[newest - 1][1])
        return root(hashes)
