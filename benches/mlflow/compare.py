"""Millwright beside MLflow's own server (SQLite), over MLflow's REST API, on one machine in one run.

usage: compare.py --millwright PATH --mlflow PATH [--runs 3000] [--rounds 10]

Both servers run at the same time, each on an empty folder, and take turns: a few requests to one, a few to the other, so that whatever else the machine does meets both. One connection
that stays open for each, one request at a time, from the same program; the time is from the request's first byte to the answer's last, at the socket, so that little of it is
this program's own. Only Python's standard library is needed here.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

API = "/api/2.0/mlflow"


class Server:
    def __init__(self, name, command, environment=None):
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="bench-mlflow-")
        command = [part.format(port=self.port, dir=self.folder.name) for part in command]
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            cwd=self.folder.name,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.healthy_s = self.first_answer(begun, "/health")
        self.useful_s = self.first_answer(begun, f"{API}/experiments/get?experiment_id=0")
        self.connection = self.connect()

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def first_answer(self, begun, path):
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended with {self.process.returncode}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return time.perf_counter() - begun
            except OSError:
                pass
            time.sleep(0.002)

    def ask(self, method, path, body=None, connection=None):
        """The answer, and the milliseconds from the request's first byte to the answer's last."""
        connection = connection or self.connection
        text = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {API}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        request = head.encode() + text
        begun = time.perf_counter()
        connection.sendall(request)
        status, content = answer(connection)
        took_ms = (time.perf_counter() - begun) * 1000
        if status != 200:
            raise SystemExit(f"{self.name}: {method} {path}: {status} {content[:500]}")
        return json.loads(content or b"{}"), took_ms

    def memory_mib(self):
        """Resident memory of the process and everything that it started."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    parents[int(entry.name)] = int(fields[1])
                except OSError:
                    continue
        family = {self.process.pid}
        while more := {child for child, parent in parents.items() if parent in family} - family:
            family |= more
        pages = 0
        for pid in family:
            try:
                pages += int((pathlib.Path("/proc") / str(pid) / "statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.folder.cleanup()


def answer(connection):
    """The status and the body of one answer. Both servers say how long theirs are."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += more(connection)
    head, body = received[:end], [received[end + 4 :]]
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    if length is None:
        raise SystemExit(f"an answer without its length: {head[:500]}")
    missing = int(length[1]) - len(body[0])
    while missing > 0:
        body.append(more(connection))
        missing -= len(body[-1])
    return int(head.split(b" ", 2)[1]), b"".join(body)


def more(connection):
    received = connection.recv(1 << 18)
    if not received:
        raise SystemExit("a connection was closed before its answer was whole")
    return received


def quantile(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def fill(server, runs):
    """Runs with parameters, tags and metrics, the same for each server."""
    numbers = random.Random(7)
    experiment = server.ask("POST", "/experiments/create", {"name": "bench"})[0]["experiment_id"]
    begun = time.perf_counter()
    ids = []
    for index in range(runs):
        body = {"experiment_id": experiment, "user_id": "bench", "start_time": 1_700_000_000_000 + index, "run_name": f"run-{index}", "tags": [{"key": "mill", "value": f"mill-{index % 7}"}]}
        run = server.ask("POST", "/runs/create", body)[0]["run"]["info"]["run_id"]
        metrics = [{"key": key, "value": numbers.random(), "timestamp": 1, "step": 0} for key in ("rmse", "mae", "loss", "r2", "bias")]
        params = [{"key": "kind", "value": "abcd"[index % 4]}, {"key": "seed", "value": str(index)}, {"key": "rows", "value": str(index % 100)}]
        server.ask("POST", "/runs/log-batch", {"run_id": run, "metrics": metrics, "params": params})
        ids.append(run)
    server.experiment, server.runs, server.filled_s = experiment, ids, time.perf_counter() - begun
    server.ask("POST", "/registered-models/create", {"name": "bench"})
    server.ask("POST", "/model-versions/create", {"name": "bench", "source": "s3://bucket/model"})
    server.ask("POST", "/registered-models/alias", {"name": "bench", "alias": "champion", "version": "1"})


def scenarios():
    counter = iter(range(10**9))

    def metric(server):
        body = {"run_id": server.runs[0], "key": "live", "value": random.random(), "timestamp": 1_700_000_000_000 + next(counter), "step": next(counter)}
        return server.ask("POST", "/runs/log-metric", body)[1]

    def batch(server):
        step = next(counter)
        metrics = [{"key": f"live-{index}", "value": random.random(), "timestamp": step, "step": step} for index in range(10)]
        return server.ask("POST", "/runs/log-batch", {"run_id": server.runs[1], "metrics": metrics})[1]

    def search(order, text):
        def ask(server):
            body = {"experiment_ids": [server.experiment], "filter": text, "order_by": order, "max_results": 100}
            return server.ask("POST", "/runs/search", body)[1]

        return ask

    return [
        ("alias read", 50, lambda server: server.ask("GET", "/registered-models/alias?name=bench&alias=champion")[1]),
        ("run read", 50, lambda server: server.ask("GET", f"/runs/get?run_id={server.runs[-1]}")[1]),
        ("model version create", 30, lambda server: server.ask("POST", "/model-versions/create", {"name": "bench", "source": "s3://bucket/model"})[1]),
        ("log-metric", 30, metric),
        ("log-batch of 10 metrics", 30, batch),
        ("run create", 30, lambda server: server.ask("POST", "/runs/create", {"experiment_id": server.experiment, "start_time": next(counter)})[1]),
        ("run search: 1 metric, 1 parameter, by metric", 5, search(["metrics.rmse ASC"], "metrics.rmse < 0.5 and params.kind = 'a'")),
        ("run search: first page of all, latest first", 5, search(["attributes.start_time DESC"], "")),
    ]


def side_by_side(servers, ask, requests, rounds):
    times = {server.name: [] for server in servers}
    for server in servers:
        ask(server)
    for _ in range(rounds):
        for server in servers:
            times[server.name].extend(ask(server) for _ in range(requests))
    return times


def writers(server, count, seconds):
    """Requests a second of several clients that log batches at the same time."""
    done = [0] * count
    until = time.perf_counter() + seconds

    def write(index):
        connection = server.connect()
        step = 0
        while time.perf_counter() < until:
            step += 1
            metrics = [{"key": f"w-{key}", "value": 1.0, "timestamp": step, "step": step} for key in range(10)]
            server.ask("POST", "/runs/log-batch", {"run_id": server.runs[2 + index], "metrics": metrics}, connection)
            done[index] += 1

    threads = [threading.Thread(target=write, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}


def theirs_command(program, more):
    store = ["--backend-store-uri", "sqlite:///{dir}/mlflow.db", "--artifacts-destination", "{dir}/artifacts"]
    return [program, "server", "--host", "127.0.0.1", "--port", "{port}", *more, *store]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millwright", required=True, help="the binary, of the release profile")
    parser.add_argument("--mlflow", required=True, help="MLflow's program")
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    ours = Server("ours", [options.millwright, "serve", "--listen", "127.0.0.1:{port}", "--data-dir", "{dir}"])
    theirs = Server("mlflow", theirs_command(options.mlflow, ["--workers", "1"]), QUIET)
    servers = [ours, theirs]
    try:
        for server in servers:
            fill(server, options.runs)
        print(f"| {options.runs} runs, 5 metrics each | ours p50 | p95 | MLflow p50 | p95 | ratio of p50 |\n|---|---|---|---|---|---|")
        for name, requests, ask in scenarios():
            times = side_by_side(servers, ask, requests, options.rounds)
            (a, b), (c, d) = [(statistics.median(times[server.name]), quantile(times[server.name], 0.95)) for server in servers]
            print(f"| {name} | {a:.2f} ms | {b:.2f} ms | {c:.1f} ms | {d:.1f} ms | {c / a:.0f} |", flush=True)
        a, b = [writers(server, 8, 5) for server in servers]
        print(f"| log-batch of 10 metrics, 8 clients | {a:.0f}/s | | {b:.0f}/s | | {a / b:.0f} |")
        a, b = [server.filled_s for server in servers]
        print(f"| {options.runs} runs written | {a:.1f} s | | {b:.1f} s | | {b / a:.0f} |")
        a, b = [server.memory_mib() for server in servers]
        print(f"| resident memory, MLflow with one worker | {a:.0f} MiB | | {b:.0f} MiB | | {b / a:.1f} |")
        usual = Server("mlflow as it starts by itself", theirs_command(options.mlflow, []), QUIET)
        servers.append(usual)
        # Each of its workers has loaded the program once it has answered something.
        for _ in range(40):
            usual.ask("GET", "/experiments/get?experiment_id=0", connection=usual.connect())
        b = usual.memory_mib()
        print(f"| resident memory, MLflow with the workers that it starts by itself | {a:.0f} MiB | | {b:.0f} MiB | | {b / a:.1f} |")
        print(f"| start to /health, empty folder | {ours.healthy_s * 1000:.0f} ms | | {theirs.healthy_s * 1000:.0f} ms | | {theirs.healthy_s / ours.healthy_s:.0f} |")
        print(f"| start to the first useful answer | {ours.useful_s * 1000:.0f} ms | | {theirs.useful_s * 1000:.0f} ms | | {theirs.useful_s / ours.useful_s:.0f} |")
    finally:
        for server in servers:
            server.stop()


main()
