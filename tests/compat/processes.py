"""A private Postgres and the programs under test, started from their binaries alone and stopped again."""

import atexit
import os
import pwd
import secrets
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

SOURCE_DIR = Path(os.environ.get("WINDLASS_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BIN_DIR = Path(os.environ.get("WINDLASS_BIN_DIR") or SOURCE_DIR / "build" / "bin")
# Where the command line remembers what it saw: not in the home of whoever runs the tests.
STATE_DIR = tempfile.TemporaryDirectory(prefix="windlass-state-")
os.environ["XDG_STATE_HOME"] = STATE_DIR.name
START_DEADLINE_S = 30
STOP_DEADLINE_S = 60  # Postgres writes its last checkpoint to a busy disk
POLL_S = 0.02


def wait_until(condition, what, deadline_s=START_DEADLINE_S):
    """The first true value that condition() gives; AssertionError at the deadline."""
    deadline = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {deadline_s} s for {what}"
        time.sleep(POLL_S)  # between two looks at the condition


# Below those that the system gives to outgoing connections, which would take one before its server is up, and above
# those of `windlass dev`.
FIRST_PORT, LAST_PORT = 20_000, 32_000
given_ports = set()


def free_port():
    """For a server that starts, stops and starts again; the same one is never given twice."""
    while True:
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given_ports:
            given_ports.add(port)
            return port


def free_address():
    return f"127.0.0.1:{free_port()}"


def http_get(url, timeout_s=5):
    with urllib.request.urlopen(url, timeout=timeout_s) as response:
        return response.read()


def http_answers(url):
    try:
        http_get(url, timeout_s=2)
        return True
    except OSError:
        return False


class Process:
    """A program with its output in a file, stopped by a signal; its end before that fails whoever waits for it."""

    def __init__(self, arguments, log_file, stop_signal=signal.SIGTERM, **options):
        self.name = Path(arguments[0]).name
        self.log_file = log_file
        self._stop_signal = stop_signal
        with open(log_file, "ab") as output:
            self._process = subprocess.Popen(
                [str(argument) for argument in arguments], stdout=output, stderr=subprocess.STDOUT, **options
            )
        atexit.register(self._process.kill)  # where nobody came to stop it; does nothing to one that has ended

    def wait_for(self, condition, what):
        def checked():
            assert self._process.poll() is None, f"{self.name} ended early:\n{self.log_file.read_text()}"
            return condition()

        return wait_until(checked, f"{self.name}: {what}")

    def send_signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        """-> the exit code"""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
        try:
            return self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


def _postgres_bin():
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max(versions, key=lambda path: int(path.parts[-3])).parent


def _unprivileged():
    """Postgres refuses to run as root: then it runs as the first of these users that the machine has."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no user that Postgres could run as")


class Postgres:
    """A cluster of its own behind a unix socket in `directory`."""

    OWNER = "windlass_owner"
    SETTINGS = ("listen_addresses=",)

    def __init__(self, directory):
        self._bin = _postgres_bin()
        self._as_user = []
        self.directory = directory
        if os.geteuid() == 0:
            user = _unprivileged()
            os.chown(directory, user.pw_uid, user.pw_gid)
            # Not by a fork that changes its user: gRPC's threads do not survive that.
            self._as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.data = directory / "data"
        self._run(
            "initdb", "-D", self.data, "-U", self.OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        self.start()

    def start(self):
        server = [*self._as_user, self._bin / "postgres", "-D", self.data, "-k", self.directory, "-p", "5432"]
        self._process = Process(
            [*server, *(f"--{setting}" for setting in self.SETTINGS)],
            self.directory.parent / "postgres.log",
            stop_signal=signal.SIGINT,
            cwd=self.directory,
        )
        self._process.wait_for(self._accepts, "accepts connections")

    def _run(self, program, *arguments):
        command = [*self._as_user, str(self._bin / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.directory)

    def _accepts(self):
        ready = [str(self._bin / "pg_isready"), "-q", "-h", str(self.directory), "-p", "5432", "-U", self.OWNER]
        return subprocess.run(ready, check=False).returncode == 0

    def create_database(self, name):
        self._run("createdb", "-h", self.directory, "-p", "5432", "-U", self.OWNER, name)

    def run_sql(self, database, user, text):
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", self.url(database, user), "-c", text)

    def url(self, database, user):
        return f"postgresql:///{database}?host={self.directory}&port=5432&user={user}"

    def stop(self):
        self._process.stop()


def write_secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


class Server:
    """windlassd on a migrated database, ready to serve. A setting `log__witnesses` is the option log.witnesses."""

    def __init__(self, postgres, directory, log_key, genesis, database="windlass", public_contents=True, **settings):
        directory.mkdir()
        postgres.create_database(database)
        windlassd = BIN_DIR / "windlassd"
        self.owner_url = postgres.url(database, postgres.OWNER)
        subprocess.run([windlassd, "--migrate", f"--database.owner_url={self.owner_url}"], check=True)
        self.grpc_address, http, metrics = free_address(), free_address(), free_address()
        self.http, self.metrics_address = f"http://{http}", metrics
        key_file = write_secret(directory / "log.key", log_key)
        options = {
            "database.url": postgres.url(database, "windlass_server"),
            "grpc.listen": self.grpc_address,
            "http.listen": http,
            "metrics.listen": metrics,
            "log.directory": directory / "log",
            "log.key_file": key_file,
            "server.public_contents": str(public_contents).lower(),
            **{f"genesis.{name}": value for name, value in genesis.items()},
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        self._process = Process(
            [windlassd, *(f"--{name}={value}" for name, value in options.items())], directory / "windlassd.log"
        )
        self._process.wait_for(lambda: http_answers(self.http + "/readyz"), "is ready")

    def stop(self):
        return self._process.stop()
