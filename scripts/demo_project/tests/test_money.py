import unittest

from bookshop import money
from tests.cases import cases, table


@table
class ParseTest(unittest.TestCase):
    @cases(("0", 0), ("1", 100), ("12.50", 1250), ("12,5", 1250), ("1 200.00", 120000), ("-3", -300), (".99", 99),
           ("5.", 500), ("0.01", 1))
    def test_amount(self, text, cents):
        self.assertEqual(money.parse(text), cents)

    @cases("", "-", "abc", "1.234", "£5")
    def test_no_amount(self, text):
        with self.assertRaises(ValueError):
            money.parse(text)


@table
class ShowTest(unittest.TestCase):
    @cases((0, "0.00 EUR"), (5, "0.05 EUR"), (1250, "12.50 EUR"), (-1250, "-12.50 EUR"), (123456789, "1 234 567.89 EUR"))
    def test_show(self, cents, text):
        self.assertEqual(money.show(cents), text)

    def test_other_currency(self):
        self.assertEqual(money.show(1250, "CHF", ","), "12,50 CHF")


@table
class ShareTest(unittest.TestCase):
    @cases((100, [1, 1, 1], [34, 33, 33]), (1, [1, 1], [1, 0]), (10, [3, 1], [8, 2]), (0, [1, 2], [0, 0]))
    def test_share(self, cents, weights, parts):
        self.assertEqual(money.share(cents, weights), parts)

    @cases(*range(2, 8, 2))
    def test_no_cent_is_lost(self, people):
        for cents in range(0, 500, 7):
            self.assertEqual(sum(money.share(cents, list(range(1, people + 1)))), cents)

    @cases(([],), ([0],), ([1, -1],))
    def test_bad_weights(self, weights):
        with self.assertRaises(ValueError):
            money.share(100, weights)
