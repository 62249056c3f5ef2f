"""One ledger: prices, orders, splits, refunds."""
