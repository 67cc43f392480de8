"""Finding what the customer meant."""
import functools


@functools.lru_cache(maxsize=4096)
def distance(a, b):
    """Edit distance with swaps of neighbours (optimal string alignment)."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def suggest(word, known, most=2):
    """The nearest known words, best first, none further than `most` edits."""
    near = sorted((distance(word.lower(), k.lower()), k) for k in known)
    return [k for d, k in near if d <= most]


def soundex(name):
    """American Soundex: names that sound alike have the same code."""
    codes = {c: str(n) for n, group in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for c in group}
    letters = [c for c in name.lower() if c.isalpha()]
    result, last = letters[0].upper(), codes.get(letters[0], "")
    for c in letters[1:]:
        code = codes.get(c, "")
        if code and code != last:
            result += code
        if c not in "hw":
            last = code
    return result[:4].ljust(4, "0")
