import unittest

from bookshop import isbn
from tests.cases import cases, table

OLD = ["0-306-40615-2", "0306406152", "3-598-21500-2", "3-598-21507-X", "0-8044-2957-X", "80-85892-15-4", "99921-58-10-7",
       "9971-5-0210-0", "960-425-059-0", "1-84356-028-3"]
NEW = ["978-3-16-148410-0", "9783161484100", "978-0-306-40615-7", "978-1-86197-271-2", "979-10-90636-07-1", "978 3598215001"]


@table
class ValidTest(unittest.TestCase):
    @cases(*OLD, *NEW)
    def test_valid(self, text):
        self.assertTrue(isbn.is_valid(text))

    @cases(*OLD[::2], *NEW[::2])
    def test_next_check_digit_is_wrong(self, text):
        last = isbn.digits(text)[-1]
        self.assertFalse(isbn.is_valid(text[:-1] + ("0" if last in "9X" else str(int(last) + 1))))

    @cases("", "X", "123", "X306406152", "978316148410X", "97831614841000", "0-306-40615", "isbn")
    def test_invalid(self, text):
        self.assertFalse(isbn.is_valid(text))

    @cases(*range(0, 13, 2))
    def test_one_wrong_digit_is_seen(self, place):
        good = "9783161484100"
        for digit in "0123456789":
            text = good[:place] + digit + good[place + 1 :]
            self.assertEqual(isbn.is_valid(text), text == good)

    @cases(*range(0, 9, 2))
    def test_swapped_neighbours_are_seen(self, place):
        good = "0306406152"
        swapped = good[:place] + good[place + 1] + good[place] + good[place + 2 :]
        self.assertEqual(isbn.is_valid(swapped), swapped == good)


@table
class To13Test(unittest.TestCase):
    @cases(*OLD[::2])
    def test_result_is_valid(self, text):
        self.assertTrue(isbn.is_valid(isbn.to_13(text)))

    @cases(("0-306-40615-2", "9780306406157"), ("3-598-21500-2", "9783598215001"))
    def test_known(self, old, new):
        self.assertEqual(isbn.to_13(old), new)

    @cases("", "0-306-40615-3", "9783161484100", "03064061")
    def test_refused(self, text):
        with self.assertRaises(ValueError):
            isbn.to_13(text)
