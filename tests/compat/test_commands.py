"""Pays, streams, opens and closes channels, and recomputes all that is answered."""

import grpc

from client import DEADLINE_S, HOUR_US, TRON, account_postings, command_pb2, now_us, postings_of, query_pb2
from formats import (
    NONE,
    AccountPosting,
    ChannelPosting,
    ClosingPosting,
    Leaf,
    Signer,
    decode_envelope,
    encode_envelope,
    posting_root_of,
    sha256,
    signature_holds,
    signing_tag,
    tron_address,
)
from merkle import leaf_hash
from processes import wait_until


def open_channel(ledger, payer, recipient, amount, **more):
    fields = {"asset": ledger.btt, "recipient": recipient, "amount": amount, "expires_us": now_us() + 2 * HOUR_US}
    return ledger.submit(payer, open_channel=command_pb2.OpenChannel(**{**fields, **more}))


def submit_receipt(ledger, signer, channel, cumulative):
    return ledger.submit_signed(ledger.signed(ledger.receipt(channel, cumulative), signer))


def test_tells_a_tag_that_follows_from_entry_0(ledger, log_vkey):
    entry = ledger.entry(0)
    genesis = command_pb2.Command.FromString(decode_envelope(entry.envelope)[0]).genesis
    assert ledger.info.signing_tag.encode() == signing_tag(genesis.origin, leaf_hash(entry.leaf))
    assert ledger.info.genesis_leaf_hash == leaf_hash(entry.leaf)
    assert Leaf.decode(entry.leaf).envelope_hash == sha256(entry.envelope_salt, entry.envelope)
    assert genesis.log_vkey == ledger.vkey == log_vkey


def test_credits_a_deposit_to_its_owner(ledger, roles):
    owner = Signer()
    acknowledgement = ledger.credit(roles.gateway, owner.key, 5_000_000)
    assert ledger.balance(owner.key) == (5_000_000, 0, 0)
    account = ledger.account(owner.key)
    assert account.address == tron_address(owner.key)
    assert account.last_sequence == acknowledgement.sequence
    assert wait_until(lambda: account_by_address(ledger, owner.address), "the address is found") == account


def account_by_address(ledger, address):
    """None while the address is not found: that look-up follows the acknowledgement, it is not part of it."""
    try:
        return ledger.query.GetAccount(query_pb2.GetAccountRequest(address=address), timeout=DEADLINE_S)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        return None


def test_pays_and_answers_with_the_payer_s_posting(ledger, funded):
    payer, recipient = funded(10_000), Signer()
    before = ledger.account(payer.key).last_sequence
    acknowledgement = ledger.submit(payer, transfer=ledger.transfer(recipient.key, 4_000, memo=b"rent"))
    number = ledger.account(payer.key).number
    assert postings_of(acknowledgement.postings) == [AccountPosting(number, ledger.btt, 6_000, 0, 0, before)]
    assert acknowledgement.postings[0].count == 2
    assert not acknowledgement.HasField("promise")
    assert ledger.balance(payer.key) == (6_000, 0, 0)
    assert ledger.balance(recipient.key) == (4_000, 0, 0)


def test_shows_each_party_its_posting_and_the_signer_its_envelope(ledger, funded):
    payer, recipient = funded(10_000), Signer()
    command = ledger.command(transfer=ledger.transfer(recipient.key, 4_000))
    signed = ledger.signed(command, payer)
    acknowledgement = ledger.verified(ledger.submit_signed(signed).accepted)
    leaf = Leaf.decode(acknowledgement.leaf)

    [received] = ledger.entry(acknowledgement.sequence, recipient.key).postings
    assert posting_root_of(received) == leaf.postings_root
    number = ledger.account(recipient.key).number
    assert postings_of([received]) == [AccountPosting(number, ledger.btt, 4_000, 0, 0, NONE)]

    shown = ledger.entry(acknowledgement.sequence, payer.key)
    assert shown.envelope == encode_envelope(command, [(payer.key, signed.signatures[0].signature)])
    assert sha256(shown.envelope_salt, shown.envelope) == leaf.envelope_hash
    assert signature_holds(payer.key, ledger.tag, command, signed.signatures[0].signature)


def test_a_shown_posting_that_was_altered_leads_to_another_root(ledger, funded):
    acknowledgement = ledger.submit(funded(10_000), transfer=ledger.transfer(Signer().key, 4_000))
    leaf, shown = Leaf.decode(acknowledgement.leaf), acknowledgement.postings[0]
    shown.posting = shown.posting[:20] + bytes([shown.posting[20] ^ 1]) + shown.posting[21:]
    assert posting_root_of(shown) != leaf.postings_root


def test_pays_a_list_or_nobody(ledger, funded):
    payer, recipients = funded(1_000_000), [Signer() for _ in range(5)]
    acknowledgement = ledger.submit(
        payer,
        transfer_list=command_pb2.TransferList(
            asset=ledger.btt,
            recipients=b"".join(recipient.key for recipient in recipients),
            amounts=[1_000 * (i + 1) for i in range(5)],
        ),
    )
    assert acknowledgement.postings[0].count == 6
    assert ledger.balance(payer.key) == (985_000, 0, 0)
    for i, recipient in enumerate(recipients):
        assert ledger.balance(recipient.key) == (1_000 * (i + 1), 0, 0)
        [posting] = ledger.entry(acknowledgement.sequence, recipient.key).postings
        assert posting_root_of(posting) == Leaf.decode(acknowledgement.leaf).postings_root


def test_answers_a_repeated_command_as_it_did_then(ledger, funded):
    payer = funded(10_000)
    signed = ledger.signed(ledger.command(transfer=ledger.transfer(Signer().key, 4_000)), payer)
    first = ledger.verified(ledger.submit_signed(signed).accepted)
    again = ledger.verified(ledger.submit_signed(signed).accepted)
    assert again.repeated_command and not first.repeated_command
    again.repeated_command = False
    assert again == first
    assert ledger.balance(payer.key) == (6_000, 0, 0)


def test_streams_several_commands_a_message_and_answers_in_order(ledger, funded):
    payer, recipients = funded(1_000_000), [Signer() for _ in range(12)]
    signed = [
        ledger.signed(ledger.command(transfer=ledger.transfer(recipient.key, 1_000 + i)), payer)
        for i, recipient in enumerate(recipients)
    ]
    broke = ledger.signed(ledger.command(transfer=ledger.transfer(recipients[0].key, 10_000_000)), payer)
    answers = ledger.submit_stream(signed[:5], [signed[5], broke, *signed[6:]], promises=True)
    assert [len(results) for results in answers] == [5, 8]

    results = [*answers[0], *answers[1]]
    refused = results.pop(6).rejected
    assert (refused.reason, refused.retry) == ("INSUFFICIENT_FUNDS", False)
    acknowledgements = [ledger.verified(result.accepted) for result in results]
    assert all(acknowledgement.HasField("promise") for acknowledgement in acknowledgements)
    sequences = [acknowledgement.sequence for acknowledgement in acknowledgements]
    assert sequences == sorted(set(sequences))
    for i, (acknowledgement, recipient) in enumerate(zip(acknowledgements, recipients)):
        [posting] = ledger.entry(acknowledgement.sequence, recipient.key).postings
        assert postings_of([posting])[0].available == 1_000 + i
    previous = [account_postings(acknowledgement.postings)[0].previous for acknowledgement in acknowledgements]
    assert previous[1:] == sequences[:-1]


def test_a_channel_from_opening_to_close(ledger, funded):
    payer, recipient, receipt_key = funded(100_000), Signer(), Signer()
    opened = open_channel(
        ledger, payer, recipient.key, 50_000, receipt_key=receipt_key.key, content=sha256(b"film")[:20]
    )
    channel = opened.sequence
    assert postings_of(opened.postings)[0].locked == 50_000
    shown = ledger.payment_channel(channel)
    assert (shown.payer, shown.recipient, shown.receipt_key) == (payer.key, recipient.key, receipt_key.key)
    assert (shown.deposit, shown.claimed, shown.open) == (50_000, 0, True)

    claim = ledger.verified(submit_receipt(ledger, receipt_key, channel, 20_000).accepted)
    credited, claimed = postings_of(claim.postings)
    assert claimed == ChannelPosting(channel, 50_000, 20_000, channel)
    assert credited == AccountPosting(ledger.account(recipient.key).number, ledger.btt, 20_000, 0, 0, channel)

    covered = submit_receipt(ledger, receipt_key, channel, 19_999).covered
    assert (covered.sequence, covered.claimed) == (claim.sequence, 20_000)

    topped_up = ledger.submit(
        payer, top_up_channel=command_pb2.TopUpChannel(channel=channel, amount=1_000, expires_us=shown.expires_us + 1)
    )
    assert postings_of(topped_up.postings)[0].locked == 51_000

    last = ledger.receipt(channel, 30_000)
    closed = ledger.submit(
        recipient,
        close_channel=command_pb2.CloseChannel(
            channel=channel,
            last_receipt=command_pb2.SignedReceipt(
                command=last, key=receipt_key.key, signature=receipt_key.sign(ledger.tag, last)
            ),
        ),
    )
    final = ledger.payment_channel(channel)
    assert (final.claimed, final.open, final.last_sequence) == (30_000, False, closed.sequence)
    assert ledger.balance(payer.key) == (70_000, 0, 0)
    assert ledger.balance(recipient.key) == (30_000, 0, 0)

    [closing] = [
        posting
        for posting in postings_of(ledger.entry(closed.sequence, payer.key).postings)
        if isinstance(posting, ClosingPosting)
    ]
    assert (closing.channel, closing.history_hash) == (channel, final.history_hash)
    assert (closing.available, closing.locked, closing.previous) == (70_000, 0, topped_up.sequence)


def test_a_close_without_a_receipt_gives_all_back(ledger, funded):
    payer, recipient = funded(10_000), funded(10_000)
    channel = open_channel(ledger, payer, recipient.key, 5_000).sequence
    ledger.submit(recipient, close_channel=command_pb2.CloseChannel(channel=channel))
    assert ledger.balance(payer.key) == (10_000, 0, 0)
    assert ledger.balance(recipient.key) == (10_000, 0, 0)


def test_rotates_a_key_that_both_keys_sign_for(ledger, funded):
    old, new = funded(10_000), Signer()
    command = ledger.command(rotate_key=command_pb2.RotateKey(new_key=new.key))
    acknowledgement = ledger.verified(ledger.submit_signed(ledger.signed(command, old, new)).accepted)
    assert account_postings(acknowledgement.postings)[0].asset == 0
    account = ledger.account(old.key)
    assert (account.key, account.rotated_at) == (new.key, acknowledgement.sequence)
    ledger.submit(new, transfer=ledger.transfer(Signer().key, 2_000))
    assert ledger.balance(new.key) == (8_000, 0, 0)


def next_asset_number(ledger):
    """They are numbered without gaps."""
    return len(ledger.query.ListAssets(query_pb2.ListAssetsRequest(), timeout=DEADLINE_S).assets) + 1


def test_sets_roles_and_assets_and_seals(ledger, roles):
    key = Signer().key
    ledger.execute(roles.operator, set_roles=command_pb2.SetRoles(key=key, roles=command_pb2.ROLE_AUDITOR))
    assert ledger.account(key).roles == command_pb2.ROLE_AUDITOR
    asset = command_pb2.Asset(
        number=next_asset_number(ledger),
        symbol="GOLD",
        chain=TRON,
        token="1000009",
        decimals=2,
        chain_units=1_000,
        minimum_first_credit=1,
        minimum_channel=1,
    )
    ledger.execute(roles.operator, set_asset=command_pb2.SetAsset(asset=asset))
    owner = Signer()
    credit = ledger.credit_chain_units(roles.gateway, owner.key, 7_000, asset)
    assert ledger.balance(owner.key, asset.number) == (7, 0, 0)

    block_id = sha256(b"block")
    sealed = ledger.execute(roles.anchor, request_seal=command_pb2.RequestSeal(block_id=block_id))
    entry = ledger.entry(sealed.sequence)
    command, signers = decode_envelope(entry.envelope)
    seal = command_pb2.Command.FromString(command).seal
    assert (Leaf.decode(sealed.leaf).kind, signers, list(entry.postings)) == (1, [], [])
    assert seal.block_id == block_id
    [gold] = [row for row in seal.totals if row.asset == asset.number]
    assert (gold.available, int.from_bytes(gold.credited, "big"), len(gold.credited)) == (7, 7_000, 16)
    assert sealed.sequence > credit.sequence


def test_promises_on_request(ledger, funded):
    payer = funded(10_000)
    acknowledgement = ledger.submit(payer, promise=True, transfer=ledger.transfer(Signer().key, 4_000))
    promise = ledger.check_promise(acknowledgement)
    assert promise.time_us >= acknowledgement.time_us
