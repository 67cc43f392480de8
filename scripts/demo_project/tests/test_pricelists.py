import unittest

from bookshop import pricelists
from tests.cases import cases, table

LIST = """# spring
9783161484100;Winter in Norway;18.50
0-306-40615-2;"Signals; and Noise";49,90

9781861972712; The Small House ;12.5
"""


@table
class ReadTest(unittest.TestCase):
    def test_list(self):
        self.assertEqual(
            list(pricelists.read(LIST)),
            [("9783161484100", "Winter in Norway", 1850), ("0306406152", "Signals; and Noise", 4990),
             ("9781861972712", "The Small House", 1250)],
        )

    @cases("", "\n\n", "# nothing\n#\n")
    def test_empty(self, text):
        self.assertEqual(list(pricelists.read(text)), [])

    @cases((0, "9783161484101;x;1"), (1, "\n9783161484100;x"), (2, "\n\n9783161484100;x;y"), (3, "#\n#\n#\na;b;c;d"))
    def test_bad_line_is_named(self, before, text):
        with self.assertRaises(pricelists.BadLine) as caught:
            list(pricelists.read(text))
        self.assertEqual(caught.exception.number, before + 1)


@table
class ChangesTest(unittest.TestCase):
    @cases(([], [], []), ([("a", "", 1)], [("a", "", 1)], []), ([("a", "", 1)], [("a", "", 2)], [("a", 1, 2)]),
           ([("a", "", 1)], [], [("a", 1, None)]), ([], [("a", "", 1)], [("a", None, 1)]),
           ([("b", "", 1), ("a", "", 2)], [("b", "", 3)], [("a", 2, None), ("b", 1, 3)]))
    def test_changes(self, old, new, expected):
        self.assertEqual(pricelists.changes(old, new), expected)
