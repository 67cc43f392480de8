import unittest

from bookshop import titles
from tests.cases import cases, table


@table
class TitlesTest(unittest.TestCase):
    @cases(("The Small House", "small house"), ("A House", "house"), ("Der Berg", "berg"), ("Theory", "theory"))
    def test_sort_key(self, title, key):
        self.assertEqual(titles.sort_key(title), key)

    @cases(("The Small House", "the-small-house"), ("Crème brûlée!", "creme-brulee"), ("a" * 60, "a" * 40), ("ab " * 20, "-".join(["ab"] * 13)))
    def test_slug(self, title, slug):
        self.assertEqual(titles.slug(title), slug)

    @cases(("Noise", ["Noise"]), ("The Small House in Norway", ["The Small House in", "Norway"]))
    def test_label(self, title, rows):
        self.assertEqual(titles.label(title), rows)

    @cases(*range(5, 21, 6))
    def test_label_fits(self, width):
        rows = titles.label("A rather long title of a rather thin book " * 3, width)
        self.assertLessEqual(max(map(len, rows)), width)

    @cases(("Astrid Anna Lindgren", "A. A. Lindgren"), ("Jean-Paul Sartre", "J.-P. Sartre"))
    def test_initials(self, author, short):
        self.assertEqual(titles.initials(author), short)

    @cases(("", ""), (" a  b ", "a b"), ("a\n\tb", "a b"))
    def test_squeeze(self, text, squeezed):
        self.assertEqual(titles.squeeze(text), squeezed)
