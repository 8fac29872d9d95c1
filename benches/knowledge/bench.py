"""The whole server at the size of a big plant: events into all projections, rebuild, search and diagnosis, alone and with ingestion running beside.

usage: bench.py --millwright PATH [--episodes 100000] [--work FOLDER] [--keep] [--writers 2] [--questions 400] [--seconds 20] [--skip-rebuild]

Everything goes through the public API of a server that this program starts, and through `millwright rebuild` and `millwright replay`. Times are from the request's first byte to the answer's
last, at the socket. "Others" is how many cores were busy with something that is neither the server nor this program. With `--keep` the folder stays, and the next run with the same `--work` and
`--episodes` begins with the questions.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import history

BATCH = 1000
PATIENCE_S = 3600
TICK = os.sysconf("SC_CLK_TCK")
ENVIRONMENT = {**os.environ, "MILLWRIGHT_LIMITS__REQUEST_TIMEOUT_S": "900"}


class Connection:
    """One connection that stays open."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=900)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body=b""):
        """Status, body, and milliseconds from the request's first byte to the answer's last."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        request = head.encode() + body
        begun = time.perf_counter()
        self.socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self.more()
        length = re.search(rb"(?i)^content-length: *(\d+)", received[:end], re.MULTILINE)
        if length is None:
            raise SystemExit(f"{method} {path}: an answer without its length: {received[:300]}")
        parts = [received[end + 4 :]]
        missing = int(length[1]) - len(parts[0])
        while missing > 0:
            parts.append(self.more())
            missing -= len(parts[-1])
        took_ms = (time.perf_counter() - begun) * 1000
        return int(received.split(b" ", 2)[1]), b"".join(parts), took_ms

    def must(self, method, path, body=b""):
        """The answer's JSON, where it is a good one."""
        status, content, took_ms = self.ask(method, path, body)
        if status not in (200, 201):
            raise SystemExit(f"{method} {path[:200]}: {status} {content[:500].decode(errors='replace')}")
        return json.loads(content), took_ms

    def more(self):
        received = self.socket.recv(1 << 18)
        if not received:
            raise SystemExit("the server closed a connection before its answer was whole")
        return received


class Server:
    def __init__(self, program, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / "server.log"
        command = [program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(folder / "data")]
        begun = time.perf_counter()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log)
        self.ready_s = self.wait_ready(begun)
        self.control = Connection(self.port)

    def wait_ready(self, begun):
        while time.perf_counter() - begun < PATIENCE_S:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}: {self.log.read_text()[-1000:]}")
            with contextlib.suppress(OSError):
                if Connection(self.port).ask("GET", "/readyz")[0] == 200:
                    return time.perf_counter() - begun
            time.sleep(0.005)
        raise SystemExit("the server was not ready in time")

    def checkpoints(self):
        """How far each projection is, by name."""
        items = self.control.must("GET", "/api/v1/projections")[0]["items"]
        failed = [f"{item['name']}: {item['failed']}" for item in items if item["failed"]]
        if failed:
            raise SystemExit(f"projections have failed: {failed}")
        return {item["name"]: item["checkpoint"] for item in items if "checkpoint" in item}

    def memory_mib(self):
        """Resident: everything, and without the pages of files (the program itself, mapped indexes)."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        kib = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
        return kib["VmRSS"] / 1024, kib["RssAnon"] / 1024, kib["VmHWM"] / 1024

    def stop(self):
        """Ends it in order, and says how long that took."""
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(300)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise SystemExit("the server did not stop within 300 s of SIGTERM") from None
        return time.perf_counter() - begun


class Others:
    """Cores that were busy with something else than this program and these processes meanwhile."""

    def __init__(self, *processes):
        self.processes, self.begun, self.before = processes, time.perf_counter(), 0.0
        self.before = self.now()

    def now(self):
        return busy_s() - mine() - sum(processor_s(process.pid) for process in self.processes) - self.before

    def read(self):
        return f"{max(0.0, self.now() / (time.perf_counter() - self.begun)):.1f}"


def busy_s():
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


def processor_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def mine():
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def quantile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(share * len(times)))]


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(title):
    row(title, "clients", "p50 ms", "p90", "p99", "worst", "a second", "others")
    row(*["---"] * 8)


def size_mib(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


# Bringing in.


def write_bodies(folder, episodes, writers):
    """The bodies of all requests, one file a writer: each has looms of its own, so that the order of what happens to a loom is kept. Returns the number of events."""
    made, total = history.History(episodes), 0
    files = [(folder / f"bodies-{writer}").open("wb") for writer in range(writers)]
    waiting = [[] for _ in range(writers)]

    def put(writer, least):
        while len(waiting[writer]) >= least and waiting[writer]:
            batch, waiting[writer] = waiting[writer][:BATCH], waiting[writer][BATCH:]
            body = json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode()
            files[writer].write(struct.pack("<I", len(body)) + body)

    definitions = list(made.definitions())
    with (folder / "definitions").open("wb") as file:
        for first in range(0, len(definitions), BATCH):
            body = json.dumps(definitions[first : first + BATCH]).encode()
            file.write(struct.pack("<I", len(body)) + body)
    for number in range(episodes):
        writer = number % history.LOOMS % writers
        events = made.episode(number)
        total += len(events)
        waiting[writer] += events
        put(writer, BATCH)
    for writer, file in enumerate(files):
        put(writer, 1)
        file.close()
    return total + len(definitions)


def post_bodies(path, port, done, failures):
    connection = Connection(port)
    try:
        with path.open("rb") as file:
            while length := file.read(4):
                answer = connection.must("POST", "/api/v1/events", file.read(struct.unpack("<I", length)[0]))[0]
                done.append(answer["last"])
    except (SystemExit, OSError) as error:
        failures.append(error)


def fill(server, folder, episodes, writers):
    begun = time.perf_counter()
    events = write_bodies(folder, episodes, writers)
    print(f"\n{episodes} episodes, {events} events, made in {time.perf_counter() - begun:.0f} s (not measured)\n", file=sys.stderr)
    failures, done = [], []
    others, begun = Others(server.process), time.perf_counter()
    post_bodies(folder / "definitions", server.port, done, failures)
    threads = [threading.Thread(target=post_bodies, args=(folder / f"bodies-{writer}", server.port, done, failures)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    reached, logged_s, peak = {}, None, 0
    while True:
        alive = any(thread.is_alive() for thread in threads)
        if failures:
            raise SystemExit(failures[0])
        checkpoints, now = server.checkpoints(), time.perf_counter() - begun
        if not alive:
            logged_s = logged_s or now
            for name, checkpoint in checkpoints.items():
                if checkpoint > max(done):
                    reached.setdefault(name, now)
            if len(reached) == len(checkpoints):
                break
        peak = max(peak, max(done, default=0) + 1 - min(checkpoints.values()))
        if now > PATIENCE_S:
            raise SystemExit(f"after {now:.0f} s these lag behind: {sorted(set(checkpoints) - set(reached))}")
        time.sleep(0.05)
    load, used_s = others.read(), processor_s(server.process.pid)
    tail = max(done) + 1
    for path in [folder / "definitions", *folder.glob("bodies-*")]:
        path.unlink()
    row("bringing in", "s", "events/s", "others")
    row("---", "---", "---", "---")
    row(f"{tail} events durable in the log, {writers} writers, {BATCH} a request", f"{logged_s:.1f}", f"{tail / logged_s:.0f}", load)
    last = max(reached, key=reached.get)
    row(f"all {len(reached)} projections caught up; the last is `{last}`", f"{reached[last]:.1f}", f"{tail / reached[last]:.0f}", load)
    for name, at in sorted(reached.items(), key=lambda item: -item[1])[:6]:
        row(f"`{name}`: {at - logged_s:+.1f} s after the last append", f"{at:.1f}", f"{tail / at:.0f}", "")
    row("processor time of the server until then", f"{used_s:.1f}", f"{tail / used_s:.0f} a core", "")
    row("most records that a projection lagged behind", peak, "", "")
    while any(item["lag"] for item in server.control.must("GET", "/api/v1/projections")[0]["items"]):
        time.sleep(0.05)
    row("what answers the log with events of its own (reactors) caught up, and the projections with it", f"{time.perf_counter() - begun:.1f}", "", "")
    rss, anonymous, high = server.memory_mib()
    row(f"resident memory: now {rss:.0f} MiB, of it not files {anonymous:.0f}; highest {high:.0f} MiB", "", "", "")
    begun = time.perf_counter()
    digests = server.control.must("GET", "/api/v1/projections/digests")[0]
    row("digests of all projections", f"{time.perf_counter() - begun:.1f}", "", "")
    return {"episodes": episodes, "events": tail, "digests": {item["name"]: item["digest"] for item in digests["items"]}}


def command(program, folder, *arguments):
    """Runs one, and gives its JSON, its seconds and the most memory that it held."""
    begun = time.perf_counter()
    run = subprocess.Popen([program, *arguments, "--json", "--data-dir", str(folder / "data")], stdout=subprocess.PIPE, stderr=(folder / "server.log").open("a"), env=ENVIRONMENT)
    try:
        output = run.stdout.read()
    except BaseException:
        run.kill()
        run.wait()
        raise
    _, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode != 0:
        raise SystemExit(f"millwright {' '.join(arguments)} ended with {run.returncode}: {(folder / 'server.log').read_text()[-1000:]}")
    return json.loads(output), time.perf_counter() - begun, usage


def rebuild(program, folder, filled, each):
    row("again from the log", "s", "events/s", "others")
    row("---", "---", "---", "---")
    for name, arguments in [("rebuild", ["rebuild"]), ("replay", ["replay"]), *((f"rebuild {name}", ["rebuild", name]) for name in each)]:
        others = Others()
        answer, took_s, usage = command(program, folder, *arguments)
        digests = {item["name"]: item["digest"] for item in answer["items"]}
        wrong = sorted(known for known, digest in digests.items() if filled["digests"].get(known) != digest)
        missing = [] if name.startswith("rebuild ") else sorted(set(filled["digests"]) - set(digests))
        same = f"{len(digests)} digests as the live ones" if not wrong else f"**other digests than live: {', '.join(wrong)}**"
        same += f" (without {', '.join(missing)})" if missing else ""
        folded = f"; folded after {answer['seconds']:.1f} s, {filled['events'] / answer['seconds']:.0f} events/s" if "seconds" in answer else ""
        row(f"`millwright {name}`: {same}{folded}; {usage.ru_utime + usage.ru_stime:.0f} s of processor time, {usage.ru_maxrss / 1024:.0f} MiB at most", f"{took_s:.1f}", f"{filled['events'] / took_s:.0f}", others.read())


# Questions.


class Beside:
    """Ingestion in a process of its own."""

    def __init__(self, port, readings, events, first, episodes):
        command = [sys.executable, __file__, "beside", str(port), str(readings), str(events), str(first), str(episodes)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("the process that ingests did not start")

    def end(self):
        output = self.process.communicate()[0]
        if self.process.returncode != 0:
            raise SystemExit(f"the process that ingests ended with {self.process.returncode}")
        return json.loads(output)


def beside(port, readings, events, first, episodes):
    """Posts so many readings and business events a second, until standard input ends. Then prints what it reached."""
    stop, reached, failures = threading.Event(), {"seconds": 0.0, "readings": 0, "events": 0, "next": first}, []
    times = {"readings": [], "events": []}
    signals = [f"L{loom:03}.{quantity}" for loom in range(history.LOOMS) for quantity in history.SIGNALS]
    made = history.History(episodes)

    def some_readings(count):
        now, begun = time.time_ns() // 10**6, reached["readings"]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000))
        parts = (f'{{"signal":"{signals[(begun + index) % len(signals)]}","time":"{stamp}.{now % 1000:03}Z","value":{(begun + index) % 977 / 10:.1f},"sequence":{begun + index}}}' for index in range(count))
        return f"[{','.join(parts)}]".encode()

    waiting = []

    def some_events(count):
        while len(waiting) < count:
            waiting.extend(made.episode(reached["next"]))
            reached["next"] += 1
        batch, waiting[:] = waiting[:count], waiting[count:]
        return json.dumps(batch, ensure_ascii=False).encode()

    def run(kind, rate, most, pause_s, body):
        try:
            connection, begun = Connection(port), time.perf_counter()
            while not stop.is_set():
                due = min(most, int((time.perf_counter() - begun) * rate) - reached[kind])
                if due > 0:
                    times[kind].append(connection.must("POST", f"/api/v1/{kind}", body(due))[1])
                    reached[kind] += due
                stop.wait(pause_s)
        except (SystemExit, OSError) as error:
            failures.append(str(error))

    threads = [threading.Thread(target=run, args=("readings", readings, 20_000, 0.1, some_readings)), threading.Thread(target=run, args=("events", events, BATCH, 0.02, some_events))]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(failures[0])
    reached["seconds"] = time.perf_counter() - begun
    reached["ms"] = {kind: [quantile(taken, 0.5), quantile(taken, 0.99)] for kind, taken in times.items() if taken}
    print(json.dumps(reached))


def prepared(filled, count):
    """The requests of each row: method, path and body."""
    by_kind = {kind: list(history.questions(kind, count, filled["episodes"])) for kind in history.KINDS}
    mixed = [by_kind[history.KINDS[index % len(history.KINDS)]][index] for index in range(count)]

    def search(texts, **more):
        return [("GET", "/api/v1/knowledge/search?" + urllib.parse.urlencode({"q": text, **more}), b"") for text in texts]

    def diagnose(texts):
        return [("POST", "/api/v1/knowledge/diagnose", json.dumps({"class": "air-jet-loom", "symptoms": text}).encode()) for text in texts]

    filtered = [search([text], asset=f"L{index % history.LOOMS:03}")[0] for index, text in enumerate(mixed)]
    mixes = {
        "search, newest": search(mixed),
        "search, as of the middle": search(mixed, as_of=filled["events"] // 2),
        "search, with facets mode, asset, kind": search(mixed, facets="mode,asset,kind"),
        "search, one asset": filtered,
        "diagnosis": diagnose([by_kind["whole texts"][index] if index % 2 else by_kind["Chinese words"][index] for index in range(count)]),
    }
    return {f"search, {kind}": search(texts) for kind, texts in by_kind.items()}, mixes


def ask_all(server, requests, clients, seconds=PATIENCE_S):
    """The milliseconds of each answer, and how many found nothing. Whoever is slow is asked less often: no question is begun after so many seconds."""
    times, empty, failures, until = [], [], [], time.perf_counter() + seconds

    def client(share):
        try:
            connection = Connection(server.port)
            for method, path, body in share:
                if time.perf_counter() > until:
                    break
                status, content, took_ms = connection.ask(method, path, body)
                if status != 200:
                    raise SystemExit(f"{method} {urllib.parse.unquote_plus(path)} {body.decode()}: {status} {content[:300].decode(errors='replace')}")
                times.append(took_ms)
                if b'"total":0,' in content or b'"total":0}' in content or b'"candidates":[]' in content:
                    empty.append(path)
        except (SystemExit, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=client, args=(requests[index::clients],)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(failures[0])
    return times, len(empty)


def ask_rows(server, rows, clients, seconds, *beside):
    for name, requests in rows.items():
        others, begun = Others(server.process, *beside), time.perf_counter()
        times, empty = ask_all(server, requests, clients, seconds)
        wall = time.perf_counter() - begun
        found = f", {empty} found nothing" if empty else ""
        row(f"{name} ({len(times)}{found})", clients, f"{statistics.median(times):.1f}", f"{quantile(times, 0.9):.1f}", f"{quantile(times, 0.99):.1f}", f"{max(times):.0f}", f"{len(times) / wall:.0f}", others.read())


def lag(connection):
    """The projection that is furthest behind, with by how many records."""
    log = json.loads(connection.ask("GET", "/readyz")[1])
    return max((log["tail"] - item["checkpoint"], item["name"]) for item in log["projections"])


def ask(server, filled, options):
    kinds, mixes = prepared(filled, options.questions)
    learnt_s = settle(server, mixes["diagnosis"][:1] + mixes["search, newest"][:1])
    print(f"Past cases were indexed and learnt {learnt_s:.0f} s after the start was over.\n")
    header("alone")
    ask_rows(server, kinds, 1, options.seconds)
    for clients in (1, 4):
        ask_rows(server, mixes, clients, options.seconds)
    print()
    for rate in options.beside:
        first = filled.get("next", filled["episodes"])
        ingesting = Beside(server.port, options.readings, rate, first, filled["episodes"])
        worst, done = [(0, "")], threading.Event()
        # Its own connection: the others are busy with questions.
        watcher = threading.Thread(target=watch, args=(server.port, worst, done))
        watcher.start()
        try:
            header(f"beside {options.readings} readings/s and {rate} events/s")
            for clients in (1, 4):
                ask_rows(server, mixes, clients, options.seconds, ingesting.process)
        finally:
            done.set()
            watcher.join()
            reached = ingesting.end()
        filled["next"] = reached["next"]
        seconds, ms = reached["seconds"], reached["ms"]
        rates = [f"{reached[kind] / seconds:.0f} {kind}/s (p50 {ms[kind][0]:.1f}, p99 {ms[kind][1]:.1f} ms a request)" for kind in ms]
        row(f"reached {' and '.join(rates)} in {seconds:.0f} s; worst lag {max(worst)[0]} records, `{max(worst)[1]}`", *[""] * 7)
        rss, anonymous, high = server.memory_mib()
        row(f"resident memory: {rss:.0f} MiB, not files {anonymous:.0f}, highest {high:.0f}", *[""] * 7)
        begun = time.perf_counter()
        while (behind := lag(server.control))[0] > 0:
            if time.perf_counter() - begun > PATIENCE_S:
                raise SystemExit(f"{behind[1]} does not catch up: {behind[0]} records")
            time.sleep(0.05)
        row(f"all projections caught up {time.perf_counter() - begun:.1f} s after the last append", *[""] * 7)
        print()


def settle(server, requests):
    """Asks until the server has nothing to do between the questions: the first ones after a start set it to learn from past cases. Returns the seconds."""
    begun = time.perf_counter()
    while True:
        ask_all(server, requests, 1)
        asked, used_s = time.perf_counter(), processor_s(server.process.pid)
        time.sleep(1)
        if processor_s(server.process.pid) - used_s < 0.1:
            return asked - begun


def watch(port, worst, done):
    connection = Connection(port)
    while not done.wait(0.5):
        worst.append(lag(connection))


def sizes(server, folder):
    total = server.control.must("GET", "/api/v1/knowledge/search?limit=1")[0].get("total")
    row("size", "")
    row("---", "---")
    row("records in the search index, as of now", total)
    for path in sorted((folder / "data").iterdir()):
        if path.is_dir() and (mib := size_mib(path)) >= 1:
            row(f"`{path.name}` on disk", f"{mib:.0f} MiB")
            if path.name == "knowledge":
                for part in sorted(path.iterdir()):
                    row(f"`{path.name}/{part.name}`", f"{size_mib(part) if part.is_dir() else part.stat().st_size / 2**20:.0f} MiB")
    rss, anonymous, high = server.memory_mib()
    row("resident memory after the start", f"{rss:.0f} MiB, not files {anonymous:.0f}, highest {high:.0f}")
    row("start until every projection is ready", f"{server.ready_s:.1f} s")
    print()


def run(options, folder):
    state = folder / f"filled-{options.episodes}.json"
    print(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}, {os.cpu_count()} cores, {options.episodes} episodes, {history.LOOMS} looms, {history.YEARS} years\n")
    server = None
    try:
        if state.exists():
            filled = json.loads(state.read_text())
        else:
            if (folder / "data").exists():
                raise SystemExit(f"{folder}/data is there, but was not filled with {options.episodes} episodes: take another --work")
            server = Server(options.millwright, folder)
            filled = fill(server, folder, options.episodes, options.writers)
            row("stopping the server", f"{server.stop():.1f}", "", "")
            state.write_text(json.dumps(filled))
            print()
        if not options.skip_rebuild and "next" not in filled:
            rebuild(options.millwright, folder, filled, options.each)
            print()
        server = Server(options.millwright, folder)
        sizes(server, folder)
        try:
            ask(server, filled, options)
        finally:
            # Digests are of another log from now on, and episodes that came in beside are not made again.
            filled.setdefault("next", filled["episodes"] + 1_000_000)
            state.write_text(json.dumps(filled))
    finally:
        if server is not None and server.process.poll() is None:
            server.stop()
    lines = (folder / "server.log").read_text().splitlines()
    told = [line for line in lines if re.search(r"\b(WARN|ERROR)\b", line) and "no token is configured" not in line]
    print(f"The server's log has {len(told)} warnings and errors." + "".join(f"\n    {line[:300]}" for line in told[:10]))
    print(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}; this program's own processor time {time.process_time():.0f} s")


def main():
    if sys.argv[1:2] == ["beside"]:
        return beside(*map(int, sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millwright", required=True, help="the binary, of the release profile")
    parser.add_argument("--episodes", type=int, default=100_000, help="fault episodes; each brings about 22 events and 11 records")
    parser.add_argument("--work", type=pathlib.Path, help="scratch folder; a temporary one when absent")
    parser.add_argument("--keep", action="store_true", help="leave the folder there")
    parser.add_argument("--writers", type=int, default=2, help="connections that bring the history in")
    parser.add_argument("--questions", type=int, default=400, help="questions a row")
    parser.add_argument("--seconds", type=float, default=20, help="the longest that a row of questions may take")
    parser.add_argument("--readings", type=int, default=5000, help="readings a second that are ingested beside")
    parser.add_argument("--beside", type=int, nargs="*", default=[100, 500], help="business events a second that are ingested beside")
    parser.add_argument("--each", nargs="*", default=[], help="projections to rebuild alone, too")
    parser.add_argument("--skip-rebuild", action="store_true")
    options = parser.parse_args()
    folder = (options.work or pathlib.Path(tempfile.mkdtemp(prefix="bench-knowledge-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        run(options, folder)
    finally:
        if not options.keep:
            for path in [folder / "data", folder / "server.log", *folder.glob("filled-*.json"), *folder.glob("bodies-*"), folder / "definitions"]:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()


main()
