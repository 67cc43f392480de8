import unittest

from bookshop.stock import OutOfStock, Stock
from tests.cases import cases, table


class StockTestCase(unittest.TestCase):
    def setUp(self):
        self.stock = Stock()
        self.addCleanup(self.stock.close)


@table
class ShelfTest(StockTestCase):
    @cases(1, 5, 100)
    def test_receive(self, copies):
        self.stock.receive("a", copies)
        self.stock.receive("a", copies)
        self.assertEqual(self.stock.copies("a"), 2 * copies)

    def test_unknown_book(self):
        self.assertEqual(self.stock.copies("a"), 0)

    def test_take(self):
        self.stock.receive("a", 3)
        self.stock.take({"a": 2})
        self.assertEqual(self.stock.copies("a"), 1)

    @cases(({"a": 4},), ({"a": 1, "b": 9},), ({"a": 1, "c": 1},))
    def test_all_or_nothing(self, order):
        self.stock.receive("a", 3)
        self.stock.receive("b", 3)
        with self.assertRaises(OutOfStock):
            self.stock.take(order)
        self.assertEqual((self.stock.copies("a"), self.stock.copies("b")), (3, 3))

    @cases((0, []), (2, ["a"]), (3, ["a", "b"]), (9, ["a", "b", "c"]))
    def test_scarce(self, below, expected):
        for isbn, copies in (("c", 5), ("b", 2), ("a", 1)):
            self.stock.receive(isbn, copies)
        self.assertEqual(self.stock.scarce(below), expected)


@table
class BusyStockTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stock = Stock()
        cls.addClassCleanup(cls.stock.close)
        for number in range(200):
            cls.stock.receive(f"{number:03}", number)

    @cases(*range(20, 200, 60))
    def test_scarce_counts(self, below):
        self.assertEqual(len(self.stock.scarce(below)), below)
