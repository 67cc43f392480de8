import unittest

from bookshop import sales
from tests.cases import cases, table


@table
class MedianTest(unittest.TestCase):
    @cases(([1], 1), ([1, 3], 2), ([3, 1, 2], 2), ([4, 1, 3, 2], 2.5))
    def test_median(self, values, expected):
        self.assertEqual(sales.median(values), expected)

    def test_of_nothing(self):
        with self.assertRaises(ValueError):
            sales.median([])


@table
class FiguresTest(unittest.TestCase):
    @cases(([], []), ([("a", 1)], ["a"]), ([("a", 1), ("b", 2)], ["b", "a"]), ([("b", 1), ("a", 1)], ["a", "b"]),
           ([("a", 1), ("b", 2), ("a", 2)], ["a", "b"]))
    def test_best_sellers(self, sold, expected):
        self.assertEqual(sales.best_sellers(sold), expected)

    @cases((1, [1, 2, 3, 4]), (2, [1.5, 2.5, 3.5]), (4, [2.5]), (5, []))
    def test_moving_average(self, width, expected):
        self.assertEqual(sales.moving_average([1, 2, 3, 4], width), expected)

    def test_bought_together(self):
        baskets = [["a", "b"], ["b", "a", "c"], ["c", "b"], ["d"]]
        self.assertEqual(sales.bought_together(baskets), [("a", "b"), ("b", "c")])

    @cases(*range(100, 600, 200))
    def test_pairs_of_many_baskets(self, count):
        baskets = [[f"t{(i * k) % 11}" for k in (1, 2, 3)] for i in range(count)]
        pairs = sales.bought_together(baskets, least=count // 20)
        self.assertTrue(all(a < b for a, b in pairs) and len(pairs) == len(set(pairs)))

    def test_abc(self):
        self.assertEqual(sales.abc_classes({"a": 80, "b": 14, "c": 4, "d": 2}), {"a": "A", "b": "B", "c": "B", "d": "C"})
