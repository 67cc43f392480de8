import unittest

from bookshop import postage
from tests.cases import cases, table


@table
class LetterTest(unittest.TestCase):
    @cases((1, 160), (100, 160), (500, 270), (1000, 499), (2000, 699), (5000, 999))
    def test_steps(self, grams, cents):
        self.assertEqual(postage.letter_cents(grams, "DE"), cents)

    @cases(("DE", 160), ("FR", 240), ("JP", 400))
    def test_zones(self, country, cents):
        self.assertEqual(postage.letter_cents(50, country), cents)

    def test_too_heavy(self):
        with self.assertRaises(ValueError):
            postage.letter_cents(5001, "DE")


@table
class PackTest(unittest.TestCase):
    @cases(([5000], 1), ([3000, 2000], 1), ([3000, 2001], 2), ([4000, 4000, 1000, 1000], 2), ([1000] * 11, 3))
    def test_parcels(self, grams, count):
        self.assertEqual(len(postage.pack(grams)), count)

    @cases(*range(1, 11, 4))
    def test_nothing_lost_and_none_too_heavy(self, seed):
        grams = [(seed * 7919 * i) % 2400 + 50 for i in range(1, 40)]
        parcels = postage.pack(grams)
        self.assertEqual(sorted(g for p in parcels for g in p), sorted(grams))
        self.assertLessEqual(max(map(sum, parcels)), postage.PARCEL_GRAMS)
