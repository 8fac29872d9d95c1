#!/usr/bin/env python3
"""Full-text search of SQLite (FTS5) and PostgreSQL on the questions that Millwright is scored by, and their times over the records of its benchmark.

See README.md beside this file. Quality needs the public data sets, times the two files that the benchmark `search` exports.
"""
import argparse
import csv
import math
import os
import pathlib
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import time

DEPTH = 10


def words(text):
    """Words as unicode61 cuts them: runs of letters and digits in lower case; a Chinese run is one word."""
    return list(dict.fromkeys(re.findall(r"[^\W_]+", text.lower())))


def trigrams(text):
    """Three characters at a time, blanks included, as the tokenizer `trigram` cuts them."""
    text = text.lower()
    return list(dict.fromkeys(text[at : at + 3] for at in range(len(text) - 2)))


def fts5_or(terms):
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


class Sqlite:
    def __init__(self, name, tokenizer, terms):
        self.name, self.tokenizer, self.terms = name, tokenizer, terms

    def load(self, texts, folder):
        self.path = folder / f"{re.sub('[^a-z0-9]+', '-', self.name.lower())}.db"
        self.path.unlink(missing_ok=True)
        self.connection = sqlite3.connect(self.path)
        self.connection.execute(f"CREATE VIRTUAL TABLE records USING fts5(text, tokenize='{self.tokenizer}')")
        self.connection.executemany("INSERT INTO records(rowid, text) VALUES (?, ?)", enumerate(texts))
        self.connection.execute("INSERT INTO records(records) VALUES ('optimize')")
        self.connection.commit()

    def find(self, question, limit):
        terms = self.terms(question)
        if not terms:
            return []
        rows = self.connection.execute(
            "SELECT rowid FROM records WHERE records MATCH ? ORDER BY rank LIMIT ?", (fts5_or(terms), limit)
        )
        return [row[0] for row in rows]

    def size_mib(self):
        return self.path.stat().st_size / 2**20

    def close(self):
        self.connection.close()
        self.path.unlink(missing_ok=True)


class Postgres:
    """One table; `index` and `query` say how it is searched."""

    def __init__(self, name, dsn, index, query, setup=()):
        self.name, self.dsn, self.index, self.query, self.setup = name, dsn, index, query, setup

    def load(self, texts, folder):
        import psycopg

        self.connection = psycopg.connect(self.dsn, autocommit=True)
        self.connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        self.connection.execute("DROP TABLE IF EXISTS records")
        self.connection.execute("CREATE TABLE records (id bigint, text text)")
        with self.connection.cursor().copy("COPY records FROM STDIN") as copy:
            for row in enumerate(texts):
                copy.write_row(row)
        self.connection.execute(self.index)
        self.connection.execute("VACUUM ANALYZE records")
        for line in self.setup:
            self.connection.execute(line)

    def find(self, question, limit):
        if not question.strip():
            return []
        rows = self.connection.execute(self.query, {"q": question, "limit": limit})
        return [row[0] for row in rows]

    def size_mib(self):
        return self.connection.execute("SELECT pg_total_relation_size('records')").fetchone()[0] / 2**20

    def close(self):
        self.connection.execute("DROP TABLE records")
        self.connection.close()


def full_text(configuration):
    # Any of the words: plainto_tsquery wants all of them, which finds nothing for a whole work order.
    any_word = f"CAST(replace(plainto_tsquery('{configuration}', %(q)s)::text, '&', '|') AS tsquery)"
    vector = f"to_tsvector('{configuration}', text)"
    return (
        f"CREATE INDEX ON records USING gin ({vector})",
        f"SELECT id FROM records, {any_word} AS query WHERE {vector} @@ query ORDER BY ts_rank_cd({vector}, query, 1) DESC, id DESC LIMIT %(limit)s",
    )


def ways(dsn, similarity):
    yield Sqlite("SQLite FTS5, unicode61", "unicode61", words)
    yield Sqlite("SQLite FTS5, porter unicode61", "porter unicode61", words)
    yield Sqlite("SQLite FTS5, trigram", "trigram", trigrams)
    if dsn:
        yield Postgres("PostgreSQL, english", dsn, *full_text("english"))
        yield Postgres(
            "PostgreSQL, pg_trgm similarity",
            dsn,
            "CREATE INDEX ON records USING gin (text gin_trgm_ops)",
            "SELECT id FROM records WHERE text %% %(q)s ORDER BY similarity(text, %(q)s) DESC, id DESC LIMIT %(limit)s",
            [f"SET pg_trgm.similarity_threshold = {similarity}"],
        )


def ndcg(hits, relevant):
    gained = sum(1 / math.log2(rank + 2) for rank, hit in enumerate(hits[:DEPTH]) if hit)
    best = sum(1 / math.log2(rank + 2) for rank in range(min(relevant, DEPTH)))
    return gained / best


def interval(values):
    numbers = random.Random(2026)
    means = sorted(statistics.fmean(numbers.choices(values, k=len(values))) for _ in range(2000))
    return f"{statistics.fmean(values):.3f} [{means[50]:.3f}, {means[1949]:.3f}]"


def excavators(folder):
    with open(folder / "excavator_mwo/case_study_pdl.csv", newline="", encoding="utf-8") as file:
        rows = [(row[1], row[3], (row[7], row[11])) for row in list(csv.reader(file))[1:]]
    rows = sorted((row for row in rows if all(row[2])), key=lambda row: row[0])
    cut = len(rows) * 8 // 10
    history, later = rows[:cut], rows[cut:]
    known = {label for _, _, label in history}
    return [(text, label) for _, text, label in history], [(text, label) for _, text, label in later if label in known]


def looms(folder, part):
    def read(name):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                yield line.split("\t", 2)

    rows = list(read("looms.tsv")) + list(read("loom_held_out_2.tsv"))
    of = lambda wanted: [(text, mode) for kind, mode, text in rows if kind == wanted]
    return of("history"), of(part)


def quality(title, history, questions, dsn, folder):
    print(f"\n### {title}: {len(questions)} questions to {len(history)}\n\n| way | nDCG@10 | first fits |\n|---|---|---|")
    for way in ways(dsn, 0.02):
        way.load([text for text, _ in history], folder)
        scores, firsts = [], []
        for text, label in questions:
            hits = [history[at][1] == label for at in way.find(text, 50)]
            scores.append(ndcg(hits, sum(own == label for _, own in history)))
            firsts.append(float(bool(hits) and hits[0]))
        print(f"| {way.name} | {interval(scores)} | {statistics.fmean(firsts):.3f} |", flush=True)
        way.close()


def times(folder, dsn, work, budget_s):
    with open(folder / "records.tsv", encoding="utf-8") as file:
        texts = [line.rstrip("\n").split("\t", 2)[2] for line in file]
    questions = (folder / "questions.txt").read_text(encoding="utf-8").split("\n")
    print(f"\n### Times over {len(texts)} records, {len(questions)} questions, the 20 best, one client\n")
    print("| way | loading, s | size, MiB | p50, ms | p90, ms | p99, ms | worst, ms | asked |\n|---|---|---|---|---|---|---|---|")
    for way in ways(dsn, 0.2):
        begun = time.perf_counter()
        way.load(texts, work)
        loading = time.perf_counter() - begun
        for question in questions[:40]:
            way.find(question, 20)
        taken = []
        begun = time.perf_counter()
        for question in questions:
            at = time.perf_counter()
            way.find(question, 20)
            taken.append((time.perf_counter() - at) * 1e3)
            if time.perf_counter() - begun > budget_s:
                break
        taken.sort()
        at = lambda share: taken[round((len(taken) - 1) * share)]
        print(
            f"| {way.name} | {loading:.0f} | {way.size_mib():.0f} | {at(0.5):.1f} | {at(0.9):.1f} | {at(0.99):.1f} | {taken[-1]:.0f} | {len(taken)} |",
            flush=True,
        )
        way.close()


class Server:
    """A PostgreSQL of its own in a scratch folder, which listens on a socket there alone."""

    def __init__(self, folder):
        self.folder = folder / "postgres"

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        run = self.user()
        if run:
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        subprocess.run([*run, "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL)
        options = f"-k {self.folder} -c listen_addresses='' -c shared_buffers=1GB -c work_mem=64MB -c maintenance_work_mem=512MB -c fsync=off -c jit=off"
        subprocess.run([*run, "pg_ctl", "-D", data, "-o", options, "-l", str(self.folder / "log"), "-w", "start"], check=True, stdout=subprocess.DEVNULL)
        return f"host={self.folder} user=postgres dbname=postgres"

    @staticmethod
    def user():
        # PostgreSQL refuses to run as root.
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []

    def __exit__(self, *_):
        subprocess.run([*self.user(), "pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "stop"], check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=pathlib.Path, help="the folder of the public data sets, for quality")
    arguments.add_argument("--records", type=pathlib.Path, help="the folder that the benchmark exported to, for times")
    arguments.add_argument("--work", type=pathlib.Path, required=True, help="a scratch folder")
    arguments.add_argument("--budget", type=float, default=120.0, help="the most seconds of questions for each way")
    arguments.add_argument("--no-postgres", action="store_true")
    given = arguments.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)

    def run(dsn):
        if given.data:
            quality("Excavators", *excavators(given.data), dsn, given.work)
            own = pathlib.Path(__file__).resolve().parents[2] / "knowledge/eval/data"
            for part in ["held_out", "held_out_2"]:
                quality(f"Looms, {part}", *looms(own, part), dsn, given.work)
        if given.records:
            times(given.records, dsn, given.work, given.budget)

    if given.no_postgres:
        run(None)
    else:
        with Server(given.work) as dsn:
            run(dsn)


if __name__ == "__main__":
    main()
