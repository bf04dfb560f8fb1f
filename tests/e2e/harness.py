"""Ledgers to be mistreated: servers that are killed and started again, clients that are refused."""

import contextlib
import itertools
import os
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import client as ledger_client
import formats
import processes
from client import DEADLINE_S, HOUR_US, now_us
from processes import BIN_DIR, wait_until
from windlass.v1 import command_pb2, ledger_pb2, ledger_pb2_grpc, query_pb2

BTT, TRX = 1, 2
DAY_US = 24 * HOUR_US
SERVER_ROLE = "windlass_server"
EXIT_DEADLINE_S = 60
MINIMUM = 1_000  # first credit and channel, in the assets that a ledger begins with


class Postgres(processes.Postgres):
    """A cluster that can be stopped under its servers."""

    # Its recovery then need not open every file of the cluster.
    SETTINGS = (*processes.Postgres.SETTINGS, "recovery_init_sync_method=syncfs")

    def __init__(self, directory):
        directory.mkdir()
        super().__init__(directory)

    def copy_database(self, name, template):
        """Nobody may be connected to the template."""
        self._run("createdb", "-h", self.directory, "-p", "5432", "-U", self.OWNER, "-T", template, name)

    def stop_immediately(self):
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")


class SqlError(Exception):
    """In Postgres's words."""


class Database:
    _numbers = itertools.count(1)

    def __init__(self, postgres, template=None):
        """A new one, or a copy of another that nobody is connected to."""
        self._postgres = postgres
        self.name = f"ledger{next(self._numbers)}"
        self.owner_url = postgres.url(self.name, postgres.OWNER)
        self.server_url = postgres.url(self.name, SERVER_ROLE)
        if template:
            postgres.copy_database(self.name, template.name)
            return
        postgres.create_database(self.name)
        command = [BIN_DIR / "windlassd", "--migrate", f"--database.owner_url={self.owner_url}"]
        subprocess.run(command, check=True, capture_output=True)

    def sql(self, statement, url=None):
        """The rows, as texts."""
        command = ["psql", "-XAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement, url or self.owner_url]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SqlError(done.stderr.strip())
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def number(self, query):
        return int(self.sql(query)[0][0])

    def script(self, statements):
        """Any number of statements, as one transaction."""
        command = ["psql", "-Xq1", "-v", "ON_ERROR_STOP=1", self.owner_url]
        done = subprocess.run(command, input=";\n".join(statements), capture_output=True, text=True)
        if done.returncode != 0:
            raise SqlError(done.stderr.strip())

    def rows(self, query, key_columns):
        """All numbers: {key: values}, a key of one column without its tuple."""
        rows = [tuple(map(int, row)) for row in self.sql(query)]
        return {row[:key_columns] if key_columns > 1 else row[0]: row[key_columns:] for row in rows}


class Keys:
    """Whoever has a part in a ledger from its beginning."""

    def __init__(self):
        self.origin, self.log_seed = "e2e.windlass.test/log", secrets.token_bytes(32)
        self.operator, self.gateway, self.anchor, self.auditor = (formats.Signer() for _ in range(4))

    def genesis(self):
        roles = ("operator", "gateway", "anchor", "auditor")
        return {f"genesis.{role}_key": getattr(self, role).key.hex() for role in roles}


class Server:
    """One windlassd: its folder and ports for all its lives, and the process of this one."""

    def __init__(self, database, keys, directory, **options):
        self.directory = directory
        directory.mkdir()
        self.grpc, self.http, self.metrics = (processes.free_address() for _ in range(3))
        key_file = processes.write_secret(directory / "log.key", formats.signer_key(keys.origin, keys.log_seed))
        self.log_directory, self.log_file = directory / "log", directory / "stderr"
        settings = {
            "database.url": database.server_url,
            "grpc.listen": self.grpc,
            "http.listen": self.http,
            "metrics.listen": self.metrics,
            "log.directory": self.log_directory,
            "log.key_file": key_file,
            "server.public_contents": "true",
            **keys.genesis(),
            **{name.replace("__", "."): value for name, value in options.items()},
        }
        self._command = [BIN_DIR / "windlassd", *(f"--{name}={value}" for name, value in settings.items())]
        self._process = None

    def start(self):
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self):
        return self._process.pid

    def http_status(self, path):
        """0 where nobody answers."""
        try:
            return urllib.request.urlopen(f"http://{self.http}{path}", timeout=DEADLINE_S).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def is_ready(self):
        assert self.is_running(), f"windlassd ended with {self._process.returncode}:\n{self.last_words()}"
        return self.http_status("/readyz") == 200

    def wait_ready(self):
        wait_until(self.is_ready, "windlassd to serve")
        return self

    def last_words(self, lines=20):
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        self._process.kill()
        return self.wait_exit()

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def terminate(self):
        """As its operator stops it; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait_exit()

    def wait_exit(self):
        return self._process.wait(EXIT_DEADLINE_S)

    def resident_mib(self):
        with open(f"/proc/{self.process_id}/status") as status:
            return int(status.read().split("VmRSS:")[1].split()[0]) // 1024


class Refused(Exception):
    """A refusal: of a call, by its status, or of a command in a stream, by its result."""

    def __init__(self, reason, message, retry=False, metadata=None, status=None):
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.retry = reason, message, retry
        self.metadata, self.status = dict(metadata or {}), status

    @classmethod
    def of_call(cls, error):
        """Its reason is the status's name where the service had no say: a broken connection, a deadline."""
        info, retry = error_details_pb2.ErrorInfo(), False
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            detail.Unpack(info)
            retry = retry or detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)
        return cls(info.reason or error.code().name, error.details(), retry, info.metadata, error.code())

    @classmethod
    def of_result(cls, rejection):
        return cls(rejection.reason, rejection.message, rejection.retry, rejection.metadata)


@contextlib.contextmanager
def refusals():
    """Within: an RpcError becomes Refused."""
    try:
        yield
    except grpc.RpcError as error:
        raise Refused.of_call(error) from None


def connect(address):
    """A connection of its own: channels of one process to one address share theirs unless told not to."""
    options = {
        "grpc.use_local_subchannel_pool": 1,
        "grpc.initial_reconnect_backoff_ms": 100,
        "grpc.max_reconnect_backoff_ms": 200,
        "grpc.max_receive_message_length": -1,
    }
    return grpc.insecure_channel(address, options=list(options.items()))


class Client(ledger_client.Ledger):
    """A connection whose calls raise Refused."""

    def __init__(self, address):
        super().__init__(connect(address))
        self._blocks = itertools.count(time.time_ns())  # credits of several clients, one after the other, are in order

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def ask(self, method, request):
        with refusals():
            return method(request, timeout=DEADLINE_S)

    def send(self, signed, promise=False):
        """One SignedCommand; its Acknowledgement or Covered."""
        response = self.ask(self.writes.Submit, ledger_pb2.SubmitRequest(command=signed, want_promise=promise))
        return getattr(response, response.WhichOneof("outcome"))

    def do(self, signer, nonce=None, expires_us=None, **body):
        """Signs a command of this body and sends it."""
        return self.send(self.sign(signer, nonce, expires_us, **body))

    def sign(self, signer, nonce=None, expires_us=None, **body):
        given = {"nonce": nonce, "expires_us": expires_us}
        return self.signed(
            self.command(**{name: value for name, value in given.items() if value is not None}, **body), signer
        )

    def send_all(self, commands, per_message=100):
        """On one stream; for each in its order an Acknowledgement, a Covered or a Refused."""
        messages = [commands[i : i + per_message] for i in range(0, len(commands), per_message)]
        with refusals():
            return [outcome(result) for results in self.submit_stream(*messages) for result in results]

    def totals(self):
        return self.ask(self.query.GetTotals, query_pb2.GetTotalsRequest())

    def size(self):
        return self.totals().size

    def all_entries(self, first=0):
        with refusals():
            request = query_pb2.ReadEntriesRequest(first=first, count=1 << 40)
            yield from self.query.ReadEntries(request, timeout=10 * DEADLINE_S)

    def checkpoint(self, minimum_size=0):
        with refusals():
            return formats.open_checkpoint(self.checkpoint_note(minimum_size), self.vkey)


def send_to(server, signed):
    """To a server that may not be ready to be asked anything."""
    with refusals(), connect(server.grpc) as connection:
        request = ledger_pb2.SubmitRequest(command=signed)
        return ledger_pb2_grpc.LedgerStub(connection).Submit(request, timeout=DEADLINE_S)


def outcome(result):
    """Of a SubmitResult."""
    value = getattr(result, result.WhichOneof("outcome"))
    return Refused.of_result(value) if result.WhichOneof("outcome") == "rejected" else value


# Bodies of commands, for Client.sign and Client.do


def transfer(to, amount, asset=BTT, **more):
    return {"transfer": command_pb2.Transfer(asset=asset, recipient=to, amount=amount, **more)}


def transfer_list(payments, asset=BTT):
    recipients, amounts = b"".join(key for key, _ in payments), [amount for _, amount in payments]
    return {"transfer_list": command_pb2.TransferList(asset=asset, recipients=recipients, amounts=amounts)}


def open_channel(to, amount, asset=BTT, life_us=DAY_US, **more):
    expires_us = now_us() + life_us
    return {
        "open_channel": command_pb2.OpenChannel(asset=asset, recipient=to, amount=amount, expires_us=expires_us, **more)
    }


def top_up(channel, amount):
    return {"top_up_channel": command_pb2.TopUpChannel(channel=channel, amount=amount)}


def receipt(channel, cumulative):
    return {"receipt": command_pb2.Receipt(channel=channel, cumulative=cumulative)}


def close(channel, last_receipt=None):
    """With the SignedCommand of a last receipt, or without."""
    body = command_pb2.CloseChannel(channel=channel)
    if last_receipt:
        (by,) = last_receipt.signatures
        body.last_receipt.CopyFrom(
            command_pb2.SignedReceipt(command=last_receipt.command, key=by.key, signature=by.signature)
        )
    return {"close_channel": body}


def windlass(server, *words, checkpoints="off"):
    """The command line, on this server: its exit code and all that it said. It remembers checkpoints in that folder."""
    environment = {
        **os.environ,
        "WINDLASS_ADDRESS": server.grpc,
        "WINDLASS_HTTP": f"http://{server.http}",
        "WINDLASS_CHECKPOINTS": str(checkpoints),
    }
    command = [str(word) for word in (BIN_DIR / "windlass", *words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def audit(server, *options):
    return windlass(server, "audit", *options)


class Ledger:
    """A ledger of its own in a database of its own: one server, and others by new_server."""

    def __init__(self, postgres, directory, keys=None, database=None, **options):
        self.postgres, self.database, self.keys = postgres, database or Database(postgres), keys or Keys()
        self._directory, self._options, self._servers = directory, options, []
        self.server = self.new_server()

    def new_server(self, **options):
        directory = self._directory / f"server{len(self._servers)}"
        self._servers.append(Server(self.database, self.keys, directory, **self._options, **options))
        return self._servers[-1]

    def start(self):
        self.server.start().wait_ready()
        return self

    def client(self):
        return Client(self.server.grpc)

    def funded(self, client, units=10**9):
        signer = formats.Signer()
        client.credit(self.keys.gateway, signer.key, units)
        return signer

    def wait_flushed(self):
        """Until SQL shows the balances after the last entry."""
        behind = "SELECT (SELECT max(sequence) FROM entries) - flushed_through FROM ledger"
        wait_until(lambda: self.database.number(behind) == 0, "balances to be written")

    def kill_all(self):
        for server in self._servers:
            if server.is_running():
                server.kill()
