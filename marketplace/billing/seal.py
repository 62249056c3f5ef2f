"""Makes the database itself refuse to change or delete what is in the book."""

from typing import Any

from sqlalchemy import Connection, Table

TRANSACTIONS = "billing_ledger_transaction"
ENTRIES = "billing_ledger_entry"
SEALED = (TRANSACTIONS, ENTRIES)
REFUSAL = "The ledger is append-only: post another transaction that corrects this one."
FUNCTION = f"""
CREATE OR REPLACE FUNCTION billing_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$
"""


def put_on(connection: Connection) -> None:
    """Seal the tables, on either database. They must exist."""
    for table in SEALED:
        _seal(connection, table)


def _seal(connection: Connection, table: str) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.exec_driver_sql(FUNCTION)
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION billing_ledger_refuse()"
        )
    answer = (
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        if is_sqlite
        else "EXECUTE FUNCTION billing_ledger_refuse()"
    )
    for change in ("update", "delete"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_{change} BEFORE {change} ON {table} FOR EACH ROW {answer}"
        )


def take_off(connection: Connection) -> None:
    """Remove the triggers: only to take the tables themselves away, or to empty a test's."""
    for table in SEALED:
        for change in ("update", "delete", "truncate"):
            on = "" if connection.dialect.name == "sqlite" else f" ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{change}{on}")


def after_create(table: Table, connection: Connection, **_given: Any) -> None:
    """Listener for a table's `after_create`."""
    _seal(connection, table.name)
