import unittest

from bookshop import spelling
from tests.cases import cases, table


@table
class DistanceTest(unittest.TestCase):
    @cases(("", "", 0), ("a", "", 1), ("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3),
           ("norway", "norwya", 1), ("ca", "abc", 3))
    def test_distance(self, a, b, edits):
        self.assertEqual(spelling.distance(a, b), edits)
        self.assertEqual(spelling.distance(b, a), edits)


@table
class SuggestTest(unittest.TestCase):
    @cases(("norwai", ["Norway"]), ("hose", ["House", "Noise"]), ("xyz", []), ("wintre", ["Winter"]))
    def test_suggest(self, word, expected):
        self.assertEqual(spelling.suggest(word, ["Norway", "House", "Noise", "Winter"]), expected)

    @cases(("Robert", "R163"), ("Rupert", "R163"), ("Ashcraft", "A261"), ("Tymczak", "T522"),
           ("Honeyman", "H555"), ("Lee", "L000"))
    def test_soundex(self, name, code):
        self.assertEqual(spelling.soundex(name), code)
