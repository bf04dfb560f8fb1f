"""A witness that nobody here wrote (transparency.dev's omniwitness) cosigns the checkpoints of a live log."""

import datetime
import http.server
import ipaddress
import json
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import grpc
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from client import DEADLINE_S, Ledger
from formats import (
    Signer,
    open_checkpoint,
    open_cosignature,
    sha256,
    signer_key,
    witness_key_of_seed,
)
from gotools import run_go
from processes import BIN_DIR, SOURCE_DIR, Process, free_address, http_get, wait_until, write_secret

INTERVAL_MS = 200  # of the rounds


def test_cosignatures_are_read_as_the_reference_writes_them():
    vectors = json.loads((SOURCE_DIR / "tests" / "vectors" / "tlog" / "notes.json").read_text())["vectors"]
    [vector] = [vector for vector in vectors if vector["kind"] == "cosigned-checkpoint"]
    assert [open_cosignature(vector["checkpoint"], key) for key in vector["witness_vkeys"]] == vector["times"]


class Omniwitness:
    """The real program, for one log; its checkpoints live as long as it does."""

    def __init__(self, go_programs, directory, name, log_vkey):
        seed = sha256(name.encode())
        self.vkey = witness_key_of_seed(name, seed)
        self.address = free_address()
        key_file = write_secret(directory / f"{name}.key", signer_key(name, seed))
        self._output = directory / f"{name}.log"
        arguments = {"listen": self.address, "key": key_file, "vkey": log_vkey}
        self._process = Process(
            [go_programs / "witness", *(f"-{key}={value}" for key, value in arguments.items())], self._output
        )
        self._process.wait_for(lambda: "listening" in self._output.read_text(), "listens")

    def stop(self):
        self._process.stop()


@pytest.fixture(scope="module")
def witnesses(go_programs, directory, log_vkey):
    started = [Omniwitness(go_programs, directory, f"witness{i}.test", log_vkey) for i in (1, 2)]
    yield started
    for witness in started:
        witness.stop()


def certificate_for_loopback(directory):
    """-> (certificate file, key file): self-signed, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "witness.pem", directory / "witness-tls.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_file, key_file


@contextmanager
def tls_before(address, certificate_file, key_file):
    """Ends TLS and passes each POST on to the witness at `address`; gives its own port."""

    class Front(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                request = urllib.request.Request(f"http://{address}{self.path}", data=body, method="POST")
                with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                    status, words = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, words = error.code, error.read()
            self.send_response(status)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # who does not trust the certificate leaves

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    with Server(("127.0.0.1", 0), Front) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def tls(directory):
    return certificate_for_loopback(directory)


@pytest.fixture(scope="module")
def witnessed(start_server, witnesses, tls):
    """A server with both witnesses, the second one over https."""
    with tls_before(witnesses[1].address, *tls) as port:
        addresses = [f"http://{witnesses[0].address}", f"https://127.0.0.1:{port}"]
        texts = ",".join(f"{url} {witness.vkey}" for url, witness in zip(addresses, witnesses))
        yield start_server(
            "witnessed", log__witnesses=texts, log__witness_interval_ms=INTERVAL_MS, log__witness_ca_file=tls[0]
        )


@pytest.fixture(scope="module")
def witnessed_ledger(witnessed):
    with grpc.insecure_channel(witnessed.grpc_address) as channel:
        yield Ledger(channel)


def cosigned_size(server, witnesses, log_vkey):
    """Of the newest cosigned note where it has a cosignature of each; else 0."""
    try:
        note = http_get(server.http + "/checkpoint/cosigned").decode()
    except urllib.error.HTTPError:
        return 0
    try:
        times = [open_cosignature(note, witness.vkey) for witness in witnesses]
    except (ValueError, InvalidSignature):
        return 0
    assert all(abs(seconds - time.time()) < 600 for seconds in times)
    return open_checkpoint(note, log_vkey).size


def grow(ledger, roles, payments):
    """-> the size after some payments"""
    payer = Signer()
    ledger.credit(roles.gateway, payer.key, 1_000_000)
    commands = [ledger.command(transfer=ledger.transfer(Signer().key, 1_000)) for _ in range(payments)]
    [results] = ledger.submit_stream([ledger.signed(command, payer) for command in commands])
    return results[-1].accepted.sequence + 1


def test_real_witnesses_cosign_the_growing_log(witnessed, witnessed_ledger, witnesses, roles, log_vkey):
    for payments in (1, 300, 20):
        size = grow(witnessed_ledger, roles, payments)
        wait_until(lambda: cosigned_size(witnessed, witnesses, log_vkey) >= size, f"{size} entries are cosigned")


def test_the_newest_checkpoint_carries_the_cosignatures_of_its_own_text(witnessed, witnessed_ledger, witnesses, roles):
    size = grow(witnessed_ledger, roles, 1)

    def is_cosigned(note):
        try:
            return all(open_cosignature(note, witness.vkey) for witness in witnesses)
        except ValueError:
            return False

    wait_until(lambda: is_cosigned(witnessed_ledger.checkpoint_note(size)), "the newest checkpoint is cosigned")
    assert is_cosigned(http_get(witnessed.http + "/checkpoint").decode())
    assert is_cosigned(witnessed_ledger.inclusion(size - 1).checkpoint)


def test_strangers_read_a_cosigned_log(witnessed, go_programs, log_vkey, witnessed_ledger, roles):
    grow(witnessed_ledger, roles, 1)
    code, _, err = run_go(go_programs / "fscklog", url=witnessed.http, vkey=log_vkey)
    assert code == 0, err


def test_metrics_show_what_each_witness_has(witnessed, witnesses, witnessed_ledger, roles):
    size = grow(witnessed_ledger, roles, 1)

    def sizes():
        text = http_get(f"http://{witnessed.metrics_address}/metrics").decode()
        lines = [line for line in text.splitlines() if line.startswith("windlass_witness_size{")]
        return [float(line.split()[-1]) for line in lines]

    wait_until(lambda: len(sizes()) == 2 and min(sizes()) >= size, "the metrics follow")


def test_a_ledger_shorter_than_a_witness_has_seen_does_not_start(
    witnessed, witnessed_ledger, start_server, witnesses, roles, log_vkey, directory
):
    size = grow(witnessed_ledger, roles, 1)
    wait_until(lambda: cosigned_size(witnessed, witnesses, log_vkey) >= size, "the log is cosigned")
    with pytest.raises(AssertionError) as refused:
        start_server("forgetful", log__witnesses=f"http://{witnesses[0].address} {witnesses[0].vkey}")
    words = str(refused.value)
    assert "ended early" in words and "witness1.test has cosigned a log of" in words
    assert "but the journal holds 0" in words


def test_neither_a_dead_witness_nor_an_untrusted_certificate_stops_the_server(start_server, witnesses, tls, roles):
    with tls_before(witnesses[1].address, *tls) as port:
        texts = f"http://{free_address()} {witnesses[0].vkey},https://127.0.0.1:{port} {witnesses[1].vkey}"
        server = start_server("unwitnessed", log__witnesses=texts, log__witness_interval_ms=INTERVAL_MS)
        with grpc.insecure_channel(server.grpc_address) as channel:
            ledger = Ledger(channel)
            size = grow(ledger, roles, 1)
            assert ledger.checkpoint_note(size)

        def unreachable():
            text = http_get(f"http://{server.metrics_address}/metrics").decode()
            return text.count('outcome="unreachable"') == 2

        wait_until(unreachable, "both are reported")
        with pytest.raises(urllib.error.HTTPError):
            http_get(server.http + "/checkpoint/cosigned")


def test_a_witness_that_cannot_be_right_is_named_before_the_start(log_vkey, tmp_path):
    """Its URL, its key (a log's is not a witness's), and one that stands there twice."""
    required = ("--database.url=x", f"--log.directory={tmp_path}", f"--log.key_file={tmp_path / 'key'}")
    good = "https://witness.test " + witness_key_of_seed("witness.test", sha256(b"w"))

    def check(witnesses):
        command = [BIN_DIR / "windlassd", "--check-config", *required, f"--log.witnesses={witnesses}"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        return ran.returncode, ran.stderr

    assert check(good) == (0, "")
    for bad in (f"witness.test {good.split()[1]}", f"https://witness.test {log_vkey}", f"{good},{good}", "https://w"):
        code, words = check(bad)
        assert code == 2 and "log.witnesses: " in words, words
