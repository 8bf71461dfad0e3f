"""The database: transactions as plain functions, migrations, ids."""

from manor.storage.copying import open_copy, remove_copies
from manor.storage.ids import Id, from_chat_id, new_id, new_ids, parse_id, to_chat_id
from manor.storage.migrations import Migration, MigrationFailed, applied, apply_migrations, purge
from manor.storage.prepared import Prepared, PreparedRows
from manor.storage.readers import Rows
from manor.storage.storage import Storage, StorageHealth, open_storage
from manor.storage.times import Time, from_microseconds, to_microseconds
from manor.storage.transaction import Deferrable, Deferred, Joint, Recording, Telling, Transaction, Work

__all__ = [
    "Deferrable",
    "Deferred",
    "Id",
    "Joint",
    "Migration",
    "MigrationFailed",
    "Prepared",
    "PreparedRows",
    "Recording",
    "Rows",
    "Storage",
    "StorageHealth",
    "Telling",
    "Time",
    "Transaction",
    "Work",
    "applied",
    "apply_migrations",
    "from_chat_id",
    "from_microseconds",
    "new_id",
    "new_ids",
    "open_copy",
    "open_storage",
    "parse_id",
    "purge",
    "remove_copies",
    "to_chat_id",
    "to_microseconds",
]
