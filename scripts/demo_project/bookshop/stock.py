"""What lies on the shelves, in an SQLite database."""
import sqlite3


class OutOfStock(Exception):
    pass


class Stock:
    def __init__(self, path=":memory:"):
        self._db = sqlite3.connect(path)
        self._db.execute("create table if not exists shelf (isbn text primary key, copies int not null check (copies >= 0))")

    def close(self):
        self._db.close()

    def receive(self, isbn, copies):
        with self._db:
            self._db.execute(
                "insert into shelf values (?, ?) on conflict (isbn) do update set copies = copies + excluded.copies",
                (isbn, copies),
            )

    def take(self, order):
        """Takes all of an order ({isbn: copies}) or, where something is missing, nothing."""
        try:
            with self._db:
                for isbn, copies in order.items():
                    found = self._db.execute("update shelf set copies = copies - ? where isbn = ?", (copies, isbn))
                    if not found.rowcount:
                        raise OutOfStock(isbn)
        except sqlite3.IntegrityError:
            raise OutOfStock(isbn) from None

    def copies(self, isbn):
        row = self._db.execute("select copies from shelf where isbn = ?", (isbn,)).fetchone()
        return row[0] if row else 0

    def scarce(self, below):
        rows = self._db.execute("select isbn from shelf where copies < ? order by copies, isbn", (below,))
        return [isbn for isbn, in rows]
