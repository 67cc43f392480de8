import unittest

from bookshop import discounts
from tests.cases import cases, table


@table
class QuantityTest(unittest.TestCase):
    @cases((0, 0), (1, 0), (9, 0), (10, 2), (19, 2), (20, 5), (49, 5), (50, 10), (100, 15), (5000, 15))
    def test_steps(self, copies, rate):
        self.assertEqual(discounts.quantity_percent(copies), rate)


@table
class ThreeForTwoTest(unittest.TestCase):
    @cases(([], 0), ([100], 0), ([100, 200], 0), ([100, 200, 300], 100), ([300, 200, 100], 100), ([5, 5, 5, 5], 5),
           ([1, 2, 3, 4, 5, 6], 5), ([9, 9, 9, 1, 1, 1], 10), ([10] * 9, 30), ([7, 0, 7], 0))
    def test_free_books(self, prices, free):
        self.assertEqual(discounts.three_for_two(prices), free)

    @cases(*range(3, 9, 2))
    def test_never_more_than_a_third(self, count):
        prices = [(37 * i) % 101 for i in range(count)]
        self.assertLessEqual(3 * discounts.three_for_two(prices), sum(prices))


@table
class BestTest(unittest.TestCase):
    @cases("AT", "DE", "FR", "NL")
    def test_binding_price(self, country):
        self.assertEqual(discounts.best([1000] * 30, 30, country), 0)

    @cases(([1000] * 3, 1, 1000), ([1000] * 20, 20, 6000), ([1000, 1000, 1], 100, 300), ([1000], 10, 20), ([], 0, 0))
    def test_larger_of_both(self, prices, copies, off):
        self.assertEqual(discounts.best(prices, copies, "GB"), off)


@table
class VoucherTest(unittest.TestCase):
    @cases((1000, "V10", 100), (999, "V10", 100), (1000, "V0", 0), (1000, "E5", 500),
           (300, "E5", 300), (0, "E5", 0), (0, "V50", 0))
    def test_value(self, cents, code, off):
        self.assertEqual(discounts.voucher(cents, code), off)

    @cases("", "V", "X10", "V-5", "10V")
    def test_no_voucher(self, code):
        with self.assertRaises(ValueError):
            discounts.voucher(1000, code)
