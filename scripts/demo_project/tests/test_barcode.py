import unittest

from bookshop import barcode
from bookshop.isbn import check_digit_13
from tests.cases import cases, table

BODIES = [f"{prefix}{middle:09}" for prefix in ("978", "401") for middle in range(0, 10**9, 123456789)]
NUMBERS = [body + check_digit_13(body) for body in BODIES]


@table
class BarcodeTest(unittest.TestCase):
    @cases(*NUMBERS)
    def test_decode_what_was_encoded(self, number):
        self.assertEqual(barcode.decode(barcode.encode(number)), number)

    @cases(*NUMBERS[::6])
    def test_guards_and_length(self, number):
        modules = barcode.encode(number)
        self.assertEqual((len(modules), modules[:3], modules[45:50], modules[-3:]), (95, "101", "01010", "101"))

    @cases("", "978", "97831614841000", "978316148410X", "978 316148410")
    def test_no_number(self, text):
        with self.assertRaises(ValueError):
            barcode.encode(text)

    @cases("", "101" * 30, "0" * 95, "1" * 95)
    def test_no_bar_code(self, modules):
        with self.assertRaises(ValueError):
            barcode.decode(modules)

    def test_known_code(self):
        self.assertTrue(barcode.encode("4003994155486").startswith("1010001101"))
