"""EAN-13 bar codes as strings of modules, 1 for a bar and 0 for a space."""

_LEFT_ODD = ["0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011"]
_PARITY = ["LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL"]


def _invert(bits):
    return bits.translate(str.maketrans("01", "10"))


def _pattern(digit, kind):
    right = _invert(_LEFT_ODD[digit])
    return {"L": _LEFT_ODD[digit], "R": right, "G": right[::-1]}[kind]


def encode(number):
    if len(number) != 13 or not number.isdigit():
        raise ValueError("a bar code takes 13 digits")
    values = [int(c) for c in number]
    left = "".join(_pattern(d, k) for d, k in zip(values[1:7], _PARITY[values[0]]))
    right = "".join(_pattern(d, "R") for d in values[7:])
    return f"101{left}01010{right}101"


def decode(modules):
    if len(modules) != 95 or modules[:3] != "101" or modules[45:50] != "01010" or modules[-3:] != "101":
        raise ValueError("not a bar code")
    parity, left = "", ""
    for start in range(3, 45, 7):
        for kind in "LG":
            for digit in range(10):
                if _pattern(digit, kind) == modules[start : start + 7]:
                    parity, left = parity + kind, left + str(digit)
    right = ""
    for start in range(50, 92, 7):
        right += str([_pattern(d, "R") for d in range(10)].index(modules[start : start + 7]))
    return f"{_PARITY.index(parity)}{left}{right}"
