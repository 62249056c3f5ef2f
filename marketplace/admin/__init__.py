"""The operator's desk: no tables, no rules of its own."""
