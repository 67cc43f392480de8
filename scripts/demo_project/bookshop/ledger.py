"""The day's takings, written down as the tills report them.

Takings are spread over shards, each with a lock of its own, so that two tills seldom wait for one another. A sale is
counted once its line is in the journal. The journal commits in groups: a till waits for the others' lines for a moment,
so that one write serves them all.
"""
import threading

SHARDS = 30


class Journal:
    """Lines of sales. Commits once every till that is signed on has a line waiting, or after the longest wait."""

    def __init__(self, path, tills, longest_wait_seconds):
        self._path = path
        self._tills = tills
        self._longest_wait = longest_wait_seconds
        self._changed = threading.Condition()
        self._waiting = []
        self._groups_written = 0

    def commit(self, line):
        """Returns when the line is in the file."""
        with self._changed:
            self._waiting.append(line)
            mine = self._groups_written
            if len(self._waiting) >= self._tills:
                self._write()
            elif not self._changed.wait_for(lambda: self._groups_written > mine, self._longest_wait):
                self._write()

    def _write(self):
        with open(self._path, "a", encoding="utf-8") as file:
            file.writelines(f"{each}\n" for each in self._waiting)
        self._waiting.clear()
        self._groups_written += 1
        self._changed.notify_all()


class Shard:
    def __init__(self):
        self.lock = threading.Lock()
        self.cents = 0


class Ledger:
    def __init__(self, path, tills=1, longest_wait_seconds=0.5):
        self._journal = Journal(path, tills, longest_wait_seconds)
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
