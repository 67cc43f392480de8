"""The catalogue: books by number, and a search over the words of titles and authors."""
import dataclasses
import unicodedata

from bookshop import money, sessions


@dataclasses.dataclass(frozen=True)
class Book:
    isbn: str
    title: str
    author: str
    cents: int
    grams: int = 300


def words(text):
    """The words of a text as they are compared: lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text)
    kept = (c.lower() if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return "".join(kept).split()


class Catalog:
    def __init__(self, books=()):
        self._books = {}
        self._index = {}
        for book in books:
            self.add(book)

    def __len__(self):
        return len(self._books)

    def add(self, book):
        if book.isbn in self._books:
            raise KeyError(f"twice in the catalogue: {book.isbn}")
        self._books[book.isbn] = book
        for word in words(f"{book.title} {book.author}"):
            self._index.setdefault(word, set()).add(book.isbn)

    def find(self, query):
        """Books that have every word of the query, cheapest first."""
        sets = [self._index.get(word, set()) for word in words(query)]
        if not sets:
            return []
        return sorted((self._books[i] for i in set.intersection(*sets)), key=lambda b: (b.cents, b.isbn))

    def export(self, customer, currency=None):
        """The price list as one line a book, in the currency that the customer's session shows."""
        with sessions.use(customer) as session:
            if currency:
                session.currency = currency
            return [f"{b.isbn};{b.title};{money.show(b.cents, session.currency)}" for b in self._books.values()]
