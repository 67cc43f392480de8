import unittest

from bookshop import invoices
from tests.cases import cases, table


@table
class VatTest(unittest.TestCase):
    @cases((10700, "DE", 700), (11000, "AT", 1000), (10550, "FR", 550), (10900, "NL", 900), (10260, "CH", 260),
           (5000, "GB", 0), (0, "DE", 0), (1, "DE", 0), (999, "DE", 65), (1250, "FR", 65))
    def test_tax_contained(self, gross, country, tax):
        self.assertEqual(invoices.vat_cents(gross, country), tax)

    @cases(*range(100, 2100, 500))
    def test_tax_grows_with_the_amount(self, gross):
        self.assertLessEqual(invoices.vat_cents(gross, "DE"), invoices.vat_cents(gross + 100, "DE"))


@table
class LineTest(unittest.TestCase):
    @cases("Noise", "The Small House", "A title " * 20, "x" * 200, "", "Crème brûlée")
    def test_width(self, title):
        self.assertEqual(len(invoices.line(title, 1, 1250)), invoices.WIDTH)

    @cases((1, 1250, "12.50 EUR"), (2, 1250, "25.00 EUR"), (100, 1250, "1 250.00 EUR"), (0, 1250, "0.00 EUR"))
    def test_price(self, copies, cents, shown):
        self.assertTrue(invoices.line("Noise", copies, cents).endswith(f" {shown}"))


@table
class RenderTest(unittest.TestCase):
    @cases(*range(0, 12, 3))
    def test_rows(self, count):
        text = invoices.render(7, [("Noise", 1, 1000)] * count, "DE")
        self.assertEqual(len(text.splitlines()), count + 5)

    @cases("DE", "AT", "FR", "NL", "CH", "GB")
    def test_every_row_has_the_same_width(self, country):
        rows = invoices.render(7, [("Noise", 3, 1000), ("House", 1, 250)], country).splitlines()
        self.assertEqual({len(row) for row in rows[1:]}, {invoices.WIDTH})


@table
class ReferenceTest(unittest.TestCase):
    @cases(*range(1, 200, 40))
    def test_check_digits(self, number):
        reference = invoices.reference(number)
        self.assertEqual(int(f"{reference[4:]}2715{reference[2:4]}") % 97, 1)
