import unittest
import uuid

from bookshop.catalog import Catalog
from tests.test_catalog import BOOKS


class PartnerExportTest(unittest.TestCase):
    def setUp(self):
        self.catalog = Catalog(BOOKS)

    def test_export_for_a_guest(self):
        lines = self.catalog.export(f"guest {uuid.uuid4()}")
        self.assertEqual(len(lines), len(BOOKS))

    def test_export_for_a_visiting_partner(self):
        lines = self.catalog.export(f"guest {uuid.uuid4()}", currency="CHF")
        self.assertEqual(lines[2], "9781861972712;The Small House;12.50 CHF")

    def test_export_of_nothing(self):
        self.assertEqual(Catalog().export("partner"), [])
