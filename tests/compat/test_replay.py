"""Reads all entries and recomputes them, the signed root, the channels' histories, the balances and the totals."""

import pytest

from client import DEADLINE_S, TRON, command_pb2, log_pb2, postings_of, query_pb2
from formats import ChannelPosting, Signer, decode_envelope, next_history_hash, open_checkpoint, posting_leaf_hash, sha256
from liabilities import check_proof
from merkle import root
from replay import Replay
from test_commands import next_asset_number, open_channel, submit_receipt
from test_withdrawals import withdrawal

PAYMENTS = 600  # so that the log has full tiles and a partial one


@pytest.fixture(scope="module")
def activity(ledger, roles, offer):
    """A bit of everything -> the keys and channels that took part."""
    payer, recipient = Signer(), Signer()
    ledger.credit(roles.gateway, payer.key, 10_000_000)
    ledger.credit(roles.gateway, b"", 12_345)  # nobody's
    gold = add_gold(ledger, roles)
    ledger.credit_chain_units(roles.gateway, recipient.key, 7_999, gold)
    recipients = [Signer().key for _ in range(20)]
    signed = [
        ledger.signed(ledger.command(transfer=ledger.transfer(recipients[i % 20], 1_000 + i)), payer)
        for i in range(PAYMENTS)
    ]
    [results] = ledger.submit_stream(signed)
    assert {result.WhichOneof("outcome") for result in results} == {"accepted"}
    channels = [open_channel(ledger, payer, recipient.key, 5_000 + i).sequence for i in range(3)]
    for channel in channels:
        for cumulative in (100, 2_000, 4_900):
            assert submit_receipt(ledger, payer, channel, cumulative).HasField("accepted")
    ledger.submit(recipient, close_channel=command_pb2.CloseChannel(channel=channels[0]))
    withdraw_and_settle(ledger, roles, payer, offer)
    ledger.submit(recipient, refuse_btfs=command_pb2.RefuseBtfs())
    for cumulative in (1_001, 2_500):  # what the chain took is no whole number of units either
        book = command_pb2.BookChainFees(asset=ledger.assets["TRX"].number, cumulative=cumulative.to_bytes(2, "big"))
        ledger.execute(roles.gateway, book_chain_fees=book)
    nobodys = ledger.credit(roles.gateway, b"", 777).sequence
    ledger.execute(roles.operator, assign_deposit=command_pb2.AssignDeposit(deposit=nobodys, owner=recipient.key))
    ledger.execute(roles.anchor, request_seal=command_pb2.RequestSeal(block_id=sha256(b"newest")))
    ledger.submit(recipient, close_channel=command_pb2.CloseChannel(channel=channels[1]))
    return [payer.key, recipient.key, *recipients], channels


def withdraw_and_settle(ledger, roles, owner, offer):
    """One is paid, one given back, one stays held; what the chain took is no whole number of the asset's units."""
    offer()
    ledger.credit_chain_units(roles.gateway, roles.gateway.key, 50_000, ledger.assets["TRX"])
    for outcome in ("OUTCOME_PAID", "OUTCOME_REFUNDED", None):
        id = ledger.submit(owner, withdraw=withdrawal(ledger, 5_000, 10)).sequence
        if outcome:
            settle = command_pb2.SettleWithdrawal(
                withdrawal=id,
                outcome=outcome,
                transaction_id=sha256(outcome.encode()),
                block=9,
                chain_fee=(345).to_bytes(2, "big"),
                fee_asset=ledger.assets["TRX"].number,
            )
            ledger.execute(roles.gateway, settle_withdrawal=settle)


def add_gold(ledger, roles):
    gold = command_pb2.Asset(
        number=next_asset_number(ledger),
        symbol="FINE",
        chain=TRON,
        token="1000010",
        decimals=2,
        chain_units=1_000,
        minimum_first_credit=1,
        minimum_channel=1,
    )
    ledger.execute(roles.operator, set_asset=command_pb2.SetAsset(asset=gold))
    return gold


@pytest.fixture(scope="module")
def replay(ledger, activity):
    replayed = Replay()
    size = ledger.query.GetLedger(query_pb2.GetLedgerRequest(), timeout=DEADLINE_S).size
    while len(replayed.leaf_hashes) < size:
        first = len(replayed.leaf_hashes)
        for entry in ledger.entries(first, size - first):
            replayed.add(entry)
        assert len(replayed.leaf_hashes) > first
    return replayed


def test_every_entry_leads_to_the_signed_root(ledger, replay, log_vkey):
    checkpoint = open_checkpoint(ledger.checkpoint_note(len(replay.leaf_hashes)), log_vkey)
    assert checkpoint.size == len(replay.leaf_hashes) > PAYMENTS
    assert checkpoint.root == root(replay.leaf_hashes)


def test_the_tag_follows_from_entry_0(ledger, replay):
    assert replay.tag == ledger.tag == ledger.info.signing_tag.encode()


def test_histories_of_channels_are_those_the_ledger_tells(ledger, replay, activity):
    _, channels = activity
    for channel in channels:
        told = ledger.payment_channel(channel)
        assert told.history_hash == replay.histories.channels[channel]
        assert told.open == (channel not in replay.closed)
        if not told.open:
            assert replay.closed[channel] == told.history_hash
    assert set(channels) - set(replay.closed) == {channels[2]}


def test_a_channel_s_pages_of_history_hash_to_its_record(ledger, activity):
    channel, pages, token = activity[1][0], [], ""
    while not pages or token:
        request = query_pb2.GetHistoryRequest(channel=channel, page_size=2, page_token=token)
        answer = ledger.query.GetHistory(request, timeout=DEADLINE_S)
        pages.append(answer.entries)
        token = answer.next_page_token
    entries = [entry for page in pages for entry in page]
    assert [entry.sequence for entry in entries] == sorted((entry.sequence for entry in entries), reverse=True)
    hashed = bytes(32)
    for entry in reversed(entries):
        for shown, posting in zip(entry.postings, postings_of(entry.postings)):
            if isinstance(posting, ChannelPosting):
                hashed = next_history_hash(hashed, entry.sequence, posting_leaf_hash(shown.salt, shown.posting))
    assert hashed == ledger.payment_channel(channel).history_hash


def test_balances_are_those_the_ledger_tells(ledger, replay, activity):
    for key in activity[0]:
        account = ledger.account(key)
        mine = {
            asset: (posting.available, posting.locked, posting.held)
            for (number, asset), posting in replay.balances.items()
            if number == account.number and any((posting.available, posting.locked, posting.held))
        }
        assert {row.asset: (row.available, row.locked, row.held) for row in account.balances} == mine
        assert account.last_sequence == replay.last_sequence["account", account.number]


def test_totals_are_those_the_ledger_tells(ledger, replay):
    told = ledger.query.GetTotals(query_pb2.GetTotalsRequest(), timeout=DEADLINE_S)
    assert told.size == len(replay.leaf_hashes)
    replay.check_totals(told.totals)
    assert (told.accounts, told.open_channels) == (replay.accounts(), replay.open_channels())
    assert any(row.unassigned for row in told.totals)
    assert any(row.held for row in told.totals)
    assert any(row.paid for row in told.totals)
    assert any(mine.dust for mine in replay.totals.values())


def test_seals_name_balance_snapshots_that_the_replay_finds(replay):
    assert replay.snapshots > 0


def test_seals_name_liabilities_that_the_replay_finds(ledger, replay):
    assert replay.liabilities > 0
    told = ledger.query.GetTotals(query_pb2.GetTotalsRequest(), timeout=DEADLINE_S)
    owed = replay.owed.after(len(replay.leaf_hashes))
    for row in told.totals:
        mine = sum(amount for (_, asset), amount in owed.items() if asset == row.asset)
        assert mine == row.available + row.locked + row.held


def test_every_account_is_counted_in_the_liabilities(ledger, replay, activity):
    counted = 0
    for key in activity[0]:
        number = ledger.account(key).number
        for asset in sorted(replay.chain_units):
            request = log_pb2.GetLiabilityProofRequest(key=key, asset=asset)
            proof = ledger.log.GetLiabilityProof(request, timeout=DEADLINE_S)
            seal = command_pb2.Command.FromString(decode_envelope(proof.seal.envelope)[0]).seal
            if proof.sequence >= len(replay.leaf_hashes):
                continue  # of a seal after the replay
            amount = replay.owed.after(proof.sequence).get((number, asset), 0)
            check_proof(proof, seal, number, asset, amount)
            counted += amount > 0
            with pytest.raises(ValueError):
                check_proof(proof, seal, number, asset, amount + 1)
            for share in proof.shares:
                share.path[0].sum += 1
                with pytest.raises(ValueError):
                    check_proof(proof, seal, number, asset, amount)
                share.path[0].sum -= 1
    assert counted


def test_an_altered_entry_is_found(ledger):
    entries = ledger.entries(0, 2)
    entries[1].time_us += 1
    replayed = Replay()
    replayed.add(entries[0])
    with pytest.raises(AssertionError):
        replayed.add(entries[1])
