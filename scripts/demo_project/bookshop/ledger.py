"""The day's takings, written down as the tills report them.

Takings are spread over shards, each with a lock of its own, so that two tills seldom wait for one another. A sale is
counted once its line is in the journal. The journal commits in groups: it waits a moment so that one write serves all
sales that arrive meanwhile.
"""
import threading
import time

SHARDS = 30


class Journal:
    def __init__(self, path, commit_delay_seconds):
        self._path = path
        self._delay = commit_delay_seconds
        self._lock = threading.Lock()
        self._waiting = []

    def commit(self, line):
        """Returns when the line is in the file."""
        with self._lock:
            self._waiting.append(line)
        time.sleep(self._delay)
        with self._lock:
            if self._waiting:
                with open(self._path, "a", encoding="utf-8") as file:
                    file.writelines(f"{each}\n" for each in self._waiting)
                self._waiting.clear()


class Shard:
    def __init__(self):
        self.lock = threading.Lock()
        self.cents = 0


class Ledger:
    def __init__(self, path, commit_delay_seconds=0.025):
        self._journal = Journal(path, commit_delay_seconds)
        self._shards = [Shard() for _ in range(SHARDS)]

    def record(self, order_id, cents):
        """Adds a sale to the takings. `order_id` is a uuid.UUID. May be called by several tills at once."""
        shard = self._shards[order_id.int % SHARDS]
        with shard.lock:
            before = shard.cents
            self._journal.commit(f"{order_id} {cents}")
            shard.cents = before + cents

    def total(self):
        return sum(shard.cents for shard in self._shards)
