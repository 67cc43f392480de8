import pathlib
import tempfile
import unittest

from bookshop import backups
from tests.cases import cases, table

SAMPLES = [{}, {"a": b""}, {"a": b"x", "b": b"y"}, {"blob": bytes(range(256))}, {"long": b"0123456789" * 500},
           {"nul": b"\0" * 64}, {"name with blanks": b"1"}, {"ünïcode": "é".encode()}]


class InFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="bookshop-backups-")
        cls.addClassCleanup(cls.folder.cleanup)

    def path(self):
        return pathlib.Path(self.folder.name) / f"{self.id()}.gz"


@table
class RoundTripTest(InFolder):
    @cases(*[(files,) for files in SAMPLES])
    def test_read_what_was_written(self, files):
        backups.write(self.path(), files)
        self.assertEqual(backups.read(self.path()), files)

    @cases(*[(files,) for files in SAMPLES[1::2]])
    def test_same_bytes_again(self, files):
        backups.write(self.path(), files)
        first = self.path().read_bytes()
        backups.write(self.path(), dict(reversed(files.items())))
        self.assertEqual(self.path().read_bytes(), first)


@table
class DamageTest(InFolder):
    @cases(0, 2, 9, 10, 40)
    def test_cut_after(self, size):
        backups.write(self.path(), {"a": b"x" * 100})
        self.path().write_bytes(self.path().read_bytes()[:size])
        with self.assertRaises(backups.Damaged):
            backups.read(self.path())

    def test_missing_file(self):
        with self.assertRaises(backups.Damaged):
            backups.read(self.path())

    def test_text_instead(self):
        self.path().write_text("not an archive")
        with self.assertRaises(backups.Damaged):
            backups.read(self.path())


@table
class KeepTest(unittest.TestCase):
    @cases(([], []), ([3], [3]), (range(1, 8), [1, 2, 3, 4, 5, 6, 7]), (range(1, 9), [2, 3, 4, 5, 6, 7, 8]),
           (range(0, 31), [7, 14, 21, 24, 25, 26, 27, 28, 29, 30]), ([7, 14, 21, 28, 35, 42, 49, 56], [7 * i for i in range(2, 9)]))
    def test_days_kept(self, days, kept):
        self.assertEqual(backups.keep(days), kept)

    @cases(10, 100, 366)
    def test_never_more_than(self, days):
        self.assertLessEqual(len(backups.keep(range(days))), 11)

    @cases(1, 2, 3, 5)
    def test_daily_only(self, daily):
        self.assertEqual(backups.keep(range(100), daily=daily, weekly=0), list(range(100 - daily, 100)))
