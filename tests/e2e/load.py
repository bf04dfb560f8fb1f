"""Load that knows what it was answered, and what the balances must be once all of it is."""

import collections
import queue
import threading
from dataclasses import dataclass

import grpc

from harness import MINIMUM, Refused, close, connect, open_channel, outcome, receipt, transfer, transfer_list
from merkle import leaf_hash
from windlass.v1 import ledger_pb2, ledger_pb2_grpc

STREAM_DEADLINE_S = 60
MAX_COMMANDS_PER_MESSAGE = 12
MAX_MESSAGES_UNANSWERED = 6
# Below the 16 nonces that the ledger keeps of an account: whatever is unanswered is still known when it comes again.
MAX_NONCES_UNANSWERED = 12
MAX_CHANNELS = 8


@dataclass
class Sent:
    """A command, how it changes the model, and its answer once there is one."""

    signed: object
    settle: object  # called with the answer
    payer: object = None  # of a command with a nonce
    channel: object = None  # of a receipt
    answer: object = None


@dataclass
class Channel:
    number: int
    payer: object
    recipient: bytes
    deposit: int
    signed: int = 0  # the highest receipt
    claimed: int = 0
    unanswered: int = 0
    is_open: bool = True


class Model:
    """Balances of asset 1 by what was answered."""

    def __init__(self):
        self._lock = threading.Lock()
        self.available, self.locked = collections.Counter(), collections.Counter()
        self.channels = {}

    def pay(self, payer, payments):
        with self._lock:
            for key, amount in payments:
                self.available[payer] -= amount
                self.available[key] += amount

    def open(self, channel):
        with self._lock:
            self.channels[channel.number] = channel
            self.available[channel.payer.key] -= channel.deposit
            self.locked[channel.payer.key] += channel.deposit

    def claim(self, channel, cumulative):
        with self._lock:
            self.available[channel.recipient] += max(0, cumulative - channel.claimed)
            channel.claimed = max(channel.claimed, cumulative)

    def close(self, channel):
        with self._lock:
            channel.is_open = False
            self.locked[channel.payer.key] -= channel.deposit
            self.available[channel.payer.key] += channel.deposit - channel.claimed


class Worker:
    """Accounts that pay, on one stream at a time. What was not answered is sent again, the same bytes, on the next."""

    def __init__(self, client, model, rng, accounts, everybody):
        self._client, self._model, self._rng = client, model, rng
        self._accounts, self._everybody = accounts, everybody
        self._channels = {}
        self._pending = collections.deque()
        self._nonces_unanswered = {account.key: collections.deque() for account in accounts}
        self.acknowledged = []  # (command's bytes, sequence, leaf hash)
        self.covered = set()  # commands' bytes
        self.wrong = None

    def run(self, address, stop):
        """Until the stream breaks, the server drains, or `stop` is set and all is answered."""
        self._drained = False
        requests, unanswered = queue.SimpleQueue(), collections.deque()
        with connect(address) as connection:
            stream = ledger_pb2_grpc.LedgerStub(connection).SubmitStream(
                iter(requests.get, None), timeout=STREAM_DEADLINE_S
            )
            try:
                self._converse(stream, requests, unanswered, stop)
            except grpc.RpcError:
                pass
            except Exception as error:  # for the test's thread to raise
                self.wrong = error
            finally:
                requests.put(None)
        self._pending = collections.deque([sent for message in unanswered for sent in message] + list(self._pending))

    def is_settled(self):
        return not self._pending

    def unanswered(self):
        """The commands' bytes."""
        return [sent.signed.command for sent in self._pending]

    def _converse(self, stream, requests, unanswered, stop):
        while True:
            while (
                len(unanswered) < MAX_MESSAGES_UNANSWERED and not self._drained and (self._pending or not stop.is_set())
            ):
                message = self._next_message(stop, unanswered)
                if not message:
                    break
                unanswered.append(message)
                requests.put(ledger_pb2.SubmitStreamRequest(commands=[sent.signed for sent in message]))
            if not unanswered:
                return
            response = next(stream)
            message = unanswered.popleft()
            assert len(response.results) == len(message)
            for sent, result in zip(message, response.results):
                self._take(sent, outcome(result))

    def _next_message(self, stop, unanswered):
        size = self._rng.randint(1, MAX_COMMANDS_PER_MESSAGE)
        message = [self._pending.popleft() for _ in range(min(size, len(self._pending)))]
        while not message or (len(message) < size and not self._pending):
            if stop.is_set():
                break
            sent = self._invent()
            if sent:
                message.append(sent)
            elif message or unanswered:
                break  # what was drawn must wait for answers; where there are none to wait for, another is drawn
        return message

    def _take(self, sent, answer):
        if isinstance(answer, Refused):
            assert answer.retry, answer
            self._drained = self._drained or answer.reason == "DRAINING"
            self._pending.append(sent)
            return
        sent.answer = answer
        if isinstance(answer, ledger_pb2.Covered):
            self.covered.add(sent.signed.command)
        else:
            assert leaf_hash(answer.leaf) == answer.leaf_hash
            self.acknowledged.append((sent.signed.command, answer.sequence, answer.leaf_hash))
        if sent.payer:
            waiting = self._nonces_unanswered[sent.payer.key]
            while waiting and waiting[0].answer:
                waiting.popleft()
        sent.settle(answer)

    # Inventing commands: all of them such that only a fault could refuse them

    def _invent(self):
        choice = self._rng.random()
        if choice < 0.5 and self._channels:
            return self._receipt(self._rng.choice(list(self._channels.values())))
        payer = self._rng.choice(self._accounts)
        waiting = self._nonces_unanswered[payer.key]
        if len(waiting) >= MAX_NONCES_UNANSWERED:
            return None
        if choice < 0.6 and len(self._channels) < MAX_CHANNELS:
            sent = self._open(payer)
        elif choice < 0.65 and self._channels:
            sent = self._close(self._rng.choice(list(self._channels.values())))
        else:
            sent = self._pay(payer)
        if sent and sent.payer:
            self._nonces_unanswered[sent.payer.key].append(sent)
        return sent

    def _other(self, payer):
        return self._rng.choice([key for key in self._everybody if key != payer.key])

    def _pay(self, payer):
        payments = [(self._other(payer), self._rng.randint(1, 100)) for _ in range(self._rng.choice([1, 1, 1, 5]))]
        body = transfer(*payments[0]) if len(payments) == 1 else transfer_list(payments)
        return Sent(self._client.sign(payer, **body), lambda _: self._model.pay(payer.key, payments), payer)

    def _open(self, payer):
        recipient, deposit = self._other(payer), self._rng.randint(MINIMUM, 100 * MINIMUM)

        def settle(answer):
            channel = Channel(answer.sequence, payer, recipient, deposit)
            self._channels[channel.number] = channel
            self._model.open(channel)

        return Sent(self._client.sign(payer, **open_channel(recipient, deposit)), settle, payer)

    def _receipt(self, channel):
        if channel.signed == channel.deposit:
            return None
        channel.signed = cumulative = min(channel.deposit, channel.signed + self._rng.randint(1, MINIMUM))
        channel.unanswered += 1

        def settle(answer):
            assert not isinstance(answer, ledger_pb2.Covered) or answer.claimed >= cumulative
            channel.unanswered -= 1
            self._model.claim(channel, cumulative)

        return Sent(self._client.sign(channel.payer, **receipt(channel.number, cumulative)), settle, channel=channel)

    def _close(self, channel):
        """By its recipient, where that is one of ours, with a last receipt."""
        recipient = next((account for account in self._accounts if account.key == channel.recipient), None)
        full = recipient and len(self._nonces_unanswered[recipient.key]) >= MAX_NONCES_UNANSWERED
        if channel.unanswered or full or not recipient or channel.signed == channel.deposit:
            return None
        cumulative = self._rng.randint(channel.signed + 1, channel.deposit)
        last = self._client.sign(channel.payer, **receipt(channel.number, cumulative))
        del self._channels[channel.number]

        def settle(_):
            self._model.claim(channel, cumulative)
            self._model.close(channel)

        return Sent(self._client.sign(recipient, **close(channel.number, last)), settle, recipient)


def make_workers(ledger, client, rng, count, accounts_each, units):
    """Each with funded accounts of its own, all of them paying all."""
    model = Model()
    accounts = [ledger.funded(client, units) for _ in range(count * accounts_each)]
    for account in accounts:
        model.available[account.key] = units
    everybody = [account.key for account in accounts]
    shares = [accounts[i::count] for i in range(count)]
    seeds = [rng.getrandbits(64) for _ in shares]
    return model, [Worker(client, model, type(rng)(seed), share, everybody) for seed, share in zip(seeds, shares)]


class Running:
    """Workers at work, each in its thread."""

    def __init__(self, workers, address):
        self._stop, self._workers = threading.Event(), workers
        self._threads = [threading.Thread(target=worker.run, args=(address, self._stop)) for worker in workers]
        for thread in self._threads:
            thread.start()

    def failed(self):
        return any(worker.wrong for worker in self._workers)

    def join(self):
        """Until each has lost its stream, or (after `finish`) has all its answers."""
        for thread in self._threads:
            thread.join(2 * STREAM_DEADLINE_S)
            assert not thread.is_alive()
        for worker in self._workers:
            if worker.wrong:
                raise worker.wrong

    def finish(self):
        """No new commands."""
        self._stop.set()
        self.join()
