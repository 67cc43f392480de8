"""A mail-order bookshop: catalogue, prices, orders, postage and the books that are kept about them."""
