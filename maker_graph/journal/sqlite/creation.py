"""Makes the file of a journal, with its first notes and its high-water mark."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from maker_graph.core.canonical import canonical, sorted_json
from maker_graph.core.spending import Account
from maker_graph.journal.chain import origin_digest, seal
from maker_graph.journal.sqlite.database import disk_errors, make_database, storage_errors
from maker_graph.journal.watermark import Watermark, WatermarkFile, watermark_path


def create_journal(path: Path, origin: str, notes: Mapping[str, str] | None = None) -> None:
    """Make the journal of a new run, with `notes`, and its high-water mark. They are not synced to the disk.

    Raises:
        DamagedRun: the file exists already.
        LimitReached: the file cannot be written.
    """
    began, account = origin_digest(origin), Account(serial=1)
    written = {"origin": origin, "owner": "0", "account": sorted_json(account.parts()), **(notes or {})}
    written["names"] = canonical(sorted({*written, "names"}))
    with storage_errors("The journal"), closing(make_database(path)) as db:
        db.execute("BEGIN")
        for name, text in written.items():
            db.execute("INSERT INTO notes VALUES (?, ?, ?)", (name, text, seal(began, name, text)))
        db.execute("COMMIT")
    with disk_errors("The high-water mark"), closing(WatermarkFile(watermark_path(path), began)) as file:
        file.write(Watermark(0, began, account))
