import unittest

from bookshop.orders import Order
from tests.cases import cases, table
from tests.test_catalog import BOOKS


class StateTest(unittest.TestCase):
    def setUp(self):
        self.order = Order("anna@example.org")

    def test_whole_way(self):
        self.order.add(BOOKS[0])
        self.assertEqual([self.order.advance() for _ in range(4)], ["ordered", "paid", "sent", "closed"])

    def test_nothing_ordered(self):
        with self.assertRaises(ValueError):
            self.order.advance()

    def test_closed_is_the_end(self):
        self.order.add(BOOKS[0])
        for _ in range(4):
            self.order.advance()
        with self.assertRaises(ValueError):
            self.order.advance()

    def test_no_change_once_ordered(self):
        self.order.add(BOOKS[0])
        self.order.advance()
        with self.assertRaises(ValueError):
            self.order.add(BOOKS[1])

    def test_ids_differ(self):
        self.assertNotEqual(self.order.id, Order("anna@example.org").id)


@table
class TotalTest(unittest.TestCase):
    @cases(("DE", 1, 1850 + 270), ("DE", 2, 3700 + 499), ("AT", 1, 1850 + 405), ("GB", 1, 1850 + 540), ("GB", 3, 3700 + 1398))
    def test_total(self, country, copies, cents):
        order = Order("anna@example.org", country)
        order.add(BOOKS[0], copies)
        self.assertEqual(order.total_cents(), cents)

    @cases(*range(1, 7))
    def test_more_books_cost_more(self, copies):
        smaller, larger = Order("a@example.org"), Order("a@example.org")
        smaller.add(BOOKS[1], copies)
        larger.add(BOOKS[1], copies + 1)
        self.assertLess(smaller.total_cents(), larger.total_cents())


class ConfirmationTest(unittest.TestCase):
    def test_confirmation_names_the_customer(self):
        order = Order("bert@example.org")
        order.add(BOOKS[2])
        self.assertIn("bert@example.org", order.confirmation())

    def test_confirmation_is_in_euros(self):
        order = Order("anna@example.org")
        order.add(BOOKS[2])
        self.assertEqual(order.confirmation(), "Thank you, anna@example.org. You pay 15.20 EUR.")
