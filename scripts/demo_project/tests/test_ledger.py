import pathlib
import tempfile
import threading
import unittest
import uuid

from bookshop.ledger import SHARDS, Ledger
from tests.cases import cases, table


class LedgerTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bookshop-ledger-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "journal"


@table
class OneTillTest(LedgerTestCase):
    @cases(1, 2, 7, 40)
    def test_total(self, sales):
        ledger = Ledger(self.path)
        for number in range(sales):
            ledger.record(uuid.UUID(int=number), 100 + number)
        self.assertEqual(ledger.total(), sum(100 + number for number in range(sales)))

    @cases(1, 3, 20)
    def test_journal_has_every_sale(self, sales):
        ledger = Ledger(self.path)
        for _ in range(sales):
            ledger.record(uuid.uuid4(), 5)
        self.assertEqual(len(self.path.read_text().splitlines()), sales)

    def test_one_shard_after_another(self):
        ledger = Ledger(self.path)
        for _ in range(3):
            ledger.record(uuid.UUID(int=SHARDS), 10)
        self.assertEqual(ledger.total(), 30)


class TwoTillsTest(LedgerTestCase):
    def test_both_sales_are_counted(self):
        ledger = Ledger(self.path, tills=2)
        together = threading.Barrier(2)

        def till(cents):
            order_id = uuid.uuid4()
            together.wait()
            ledger.record(order_id, cents)

        tills = [threading.Thread(target=till, args=(cents,)) for cents in (1250, 1750)]
        for thread in tills:
            thread.start()
        for thread in tills:
            thread.join()
        self.assertEqual(ledger.total(), 3000)

    def test_journal_has_both_sales(self):
        ledger = Ledger(self.path, tills=2)
        tills = [threading.Thread(target=ledger.record, args=(uuid.UUID(int=i), 1)) for i in range(2)]
        for thread in tills:
            thread.start()
        for thread in tills:
            thread.join()
        self.assertEqual(len(self.path.read_text().splitlines()), 2)
