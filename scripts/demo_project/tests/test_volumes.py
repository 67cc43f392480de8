import unittest

from bookshop import volumes
from tests.cases import cases, table


@table
class RomanTest(unittest.TestCase):
    @cases((1, "I"), (9, "IX"), (14, "XIV"), (90, "XC"), (400, "CD"), (1994, "MCMXCIV"), (3999, "MMMCMXCIX"))
    def test_known(self, number, text):
        self.assertEqual(volumes.roman(number), text)
        self.assertEqual(volumes.arabic(text.lower()), number)

    @cases(*range(0, 4000, 1000))
    def test_there_and_back(self, start):
        for number in range(start + 1, min(start + 100, 4000)):
            self.assertEqual(volumes.arabic(volumes.roman(number)), number)

    @cases(0, -1, 4000)
    def test_out_of_range(self, number):
        with self.assertRaises(ValueError):
            volumes.roman(number)

    @cases("", "IIII", "VX", "abc", "MMMM")
    def test_no_numeral(self, text):
        with self.assertRaises(ValueError):
            volumes.arabic(text)

    def test_shelf_order(self):
        shelf = ["Works X", "Works II", "Works", "Atlas", "Works IX"]
        self.assertEqual(sorted(shelf, key=volumes.shelf_key), ["Atlas", "Works", "Works II", "Works IX", "Works X"])
