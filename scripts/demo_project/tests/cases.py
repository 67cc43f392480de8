"""One test method for each row of a table, so that every row has a test id of its own."""


def cases(*rows):
    """Marks a method of a class under @table: it becomes one test for each row, called with the row's values."""

    def mark(method):
        method.rows = rows
        return method

    return mark


def table(cls):
    for name, method in list(vars(cls).items()):
        rows = getattr(method, "rows", None)
        if rows is None:
            continue
        delattr(cls, name)
        for number, row in enumerate(rows, 1):
            values = row if isinstance(row, tuple) else (row,)

            def test(self, method=method, values=values):
                method(self, *values)

            test.__doc__ = None
            test.__name__ = f"{name}_{number:02}"
            test.__qualname__ = f"{cls.__qualname__}.{test.__name__}"
            setattr(cls, test.__name__, test)
    return cls
