"""The files that a run has written outside its journal. A note in the journal lists them for the next resume."""

import json

from maker_graph.errors import DamagedRun
from maker_graph.files import Known, OwnFiles
from maker_graph.journal.protocol import Journal

_NOTE = "files"


def own_files(journal: Journal) -> OwnFiles:
    """Return the files that the run of this journal has written. Changes to the list are written to the journal.

    Raises:
        DamagedRun: the note with the list cannot be read.
    """
    note = journal.note(_NOTE)
    try:
        known = {} if note is None else {str(name): list(map(str, digests)) for name, digests in json.loads(note).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DamagedRun(f"The journal is damaged: its list of files cannot be read ({error}).") from None

    def keep(known: Known) -> None:
        journal.set_note(_NOTE, note_of(known)[_NOTE])

    return OwnFiles(known, keep)


def note_of(known: Known) -> dict[str, str]:
    """Return the note that holds `known`, as name -> text."""
    return {_NOTE: json.dumps(known)}
