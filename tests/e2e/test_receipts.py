"""Receipts cover one another, on however many streams they come."""

from harness import open_channel, receipt


def test_smoke(ledger):
    with ledger.client() as client:
        payer, seeder = ledger.funded(client), ledger.funded(client)
        opened = client.do(payer, **open_channel(seeder.key, 10_000))
        got = client.do(payer, **receipt(opened.sequence, 10))
        assert client.balance(seeder.key) == (1000000010, 0, 0)
        got = client.do(payer, **receipt(opened.sequence, 10))
        print(got)
