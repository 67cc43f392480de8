import datetime
import unittest

from bookshop import workdays
from tests.cases import cases, table


@table
class EasterTest(unittest.TestCase):
    @cases((1981, 4, 19), (2000, 4, 23), (2024, 3, 31), (2025, 4, 20), (2038, 4, 25))
    def test_known(self, year, month, day):
        self.assertEqual(workdays.easter(year), datetime.date(year, month, day))

    @cases(*range(1900, 2100, 50))
    def test_a_sunday_in_its_range(self, start):
        for year in range(start, start + 25):
            day = workdays.easter(year)
            self.assertEqual(day.weekday(), 6)
            self.assertTrue((3, 22) <= (day.month, day.day) <= (4, 25))


@table
class WorkdayTest(unittest.TestCase):
    @cases("2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-12-25", "2026-08-02")
    def test_free(self, day):
        self.assertFalse(workdays.is_workday(datetime.date.fromisoformat(day)))

    @cases(("2026-11-20", 1, "2026-11-23"), ("2026-12-24", 1, "2026-12-28"), ("2026-04-02", 2, "2026-04-08"), ("2026-03-03", 0, "2026-03-03"))
    def test_add(self, start, count, end):
        day = workdays.add_workdays(datetime.date.fromisoformat(start), count)
        self.assertEqual(day, datetime.date.fromisoformat(end))

    @cases(*range(1, 13, 3))
    def test_days_of_a_month(self, month):
        self.assertTrue(17 <= workdays.workdays_of_month(2026, month) <= 23)
