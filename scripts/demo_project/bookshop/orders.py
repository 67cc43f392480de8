"""Orders: from a basket to a confirmation."""
import uuid

from bookshop import discounts, money, postage, sessions

_NEXT = {"basket": "ordered", "ordered": "paid", "paid": "sent", "sent": "closed"}


class Order:
    def __init__(self, customer, country="DE"):
        self.id = uuid.uuid4()
        self.customer = customer
        self.country = country
        self.state = "basket"
        self.positions = {}

    def add(self, book, copies=1):
        if self.state != "basket":
            raise ValueError(f"an order that is {self.state} cannot be changed")
        self.positions[book] = self.positions.get(book, 0) + copies

    def advance(self):
        if self.state not in _NEXT or not self.positions:
            raise ValueError("nothing ordered" if not self.positions else "the order is closed")
        self.state = _NEXT[self.state]
        return self.state

    def books_cents(self):
        return sum(book.cents * copies for book, copies in self.positions.items())

    def total_cents(self):
        prices = [book.cents for book, copies in self.positions.items() for _ in range(copies)]
        grams = [book.grams for book, copies in self.positions.items() for _ in range(copies)]
        most = max(self.positions.values(), default=0)
        return self.books_cents() - discounts.best(prices, most, self.country) + postage.cents(grams, self.country)

    def confirmation(self):
        with sessions.use(self.customer) as session:
            return f"Thank you, {self.customer}. You pay {money.show(self.total_cents(), session.currency)}."
