"""Which days the shop works and when a parcel leaves."""
import datetime

_FIXED = {(1, 1), (5, 1), (12, 25), (12, 26)}


def easter(year):
    """Easter Sunday of the Gregorian calendar, by Gauss's rule with its two exceptions."""
    a, b, c = year % 19, year % 4, year % 7
    century = year // 100
    m = (15 + century - century // 4 - (8 * century + 13) // 25) % 30
    n = (4 + century - century // 4) % 7
    d = (19 * a + m) % 30
    e = (2 * b + 4 * c + 6 * d + n) % 7
    offset = 22 + d + e
    if offset == 57 or (d == 28 and e == 6 and a > 10):
        offset -= 7
    return datetime.date(year, 3, 1) + datetime.timedelta(days=offset - 1)


def is_holiday(day):
    if (day.month, day.day) in _FIXED:
        return True
    return (day - easter(day.year)).days in (-2, 1, 39, 50)


def is_workday(day):
    return day.weekday() < 5 and not is_holiday(day)


def add_workdays(day, count):
    while count > 0:
        day += datetime.timedelta(days=1)
        count -= is_workday(day)
    return day


def workdays_of_month(year, month):
    day = datetime.date(year, month, 1)
    found = 0
    while day.month == month:
        found += is_workday(day)
        day += datetime.timedelta(days=1)
    return found
