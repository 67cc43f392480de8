"""Figures about what was sold."""
import collections


def median(values):
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def best_sellers(sales, most=3):
    """The titles sold most often; of equals the first in the alphabet."""
    copies = collections.Counter()
    for title, count in sales:
        copies[title] += count
    return sorted(copies, key=lambda t: (-copies[t], t))[:most]


def moving_average(values, width):
    if width < 1:
        raise ValueError("width must be at least 1")
    return [sum(values[i : i + width]) / width for i in range(len(values) - width + 1)]


def bought_together(baskets, least=2):
    """Pairs of titles that lie in at least `least` baskets together, most frequent first."""
    pairs = collections.Counter()
    for basket in baskets:
        unique = sorted(set(basket))
        pairs.update((a, b) for i, a in enumerate(unique) for b in unique[i + 1 :])
    return [pair for pair, count in sorted(pairs.items(), key=lambda p: (-p[1], p[0])) if count >= least]


def abc_classes(turnover):
    """ABC analysis: A are the titles that make the first 80 % of the turnover, B those up to 95 %, C the rest."""
    total = sum(turnover.values())
    classes, running = {}, 0
    for title in sorted(turnover, key=lambda t: (-turnover[t], t)):
        classes[title] = "A" if running < 0.8 * total else "B" if running < 0.95 * total else "C"
        running += turnover[title]
    return classes
