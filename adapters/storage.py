"""Open a home's log, redacted and with its receipts' words; what every writing verb and the service need."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.home import Home
from adapters.record_keeping import RecordKeeping
from adapters.signing_keys import SigningKeys
from adapters.tree_keeping import TreeKeeping
from adapters.trusted_homes import TrustedHomes
from adapters.volume import network_volume, refusal
from eventstore.event import Event
from eventstore.ids import command_event_id
from eventstore.log import Log, LogUnreadable
from eventstore.redaction.patterns import Redactor
from eventstore.redaction.redacting import Redacting
from eventstore.sqlite.log import SqliteLog
from eventstore.text.mirror import Mirror
from projections.all_views import ALL
from projections.views import Views
from schemas import names
from schemas.service import SecretRedacted
from schemas.upcasts import UPCASTS

WINDOWS = sys.platform == "win32"


@dataclass(frozen=True)
class Storage:
    """The log and what is kept beside it. `source` is the `source` of every event."""

    log: Log
    raw: SqliteLog
    redactor: Redactor
    records: RecordKeeping
    views: Views
    tree: TreeKeeping
    source: str

    def redact(self, text: str) -> str:
        return self.redactor.text(text)[0]

    def close(self) -> None:
        self.views.close()
        self.log.close()


def note_redaction(event: Event, found: Mapping[str, int]) -> Event:
    """The event that says what was taken out of another one of the same batch."""
    return Event(
        id=command_event_id(event.id, 0),
        type=names.SECRET_REDACTED,
        data=SecretRedacted(patterns=dict(found), event_type=event.type).model_dump(mode="json"),
        time=event.time,
        actor="policy:redaction",
        source=event.source,
        correlation_id=event.correlation_id,
        causation_id=event.id,
    )


def open_storage(home: Home, secrets: tuple[str, ...] = (), signing_key: str | None = None) -> Storage:
    """`secrets` are values of our own environment that no event may hold; `signing_key` is the
    private key of the tree heads where the environment brings it. Raises LogUnreadable, OSError.
    """
    if home.log.exists() and (network := network_volume(home.logs)) is not None:
        raise LogUnreadable(refusal(home.root, network))
    raw = SqliteLog(home.log, upcasts=UPCASTS)
    first = next(iter(raw.all(0, 1)), None)
    if first is None or first.type != names.HOME_CREATED:
        raise LogUnreadable(f"{home.log} does not begin with home_created: it is no home's log.")
    redactor = Redactor(secrets)
    log = Redacting(raw, redactor, note_redaction)
    views = Views(home.views, ALL, pause=time.sleep)
    records = RecordKeeping(log, views, Mirror(home.mirror, raw))
    home_id = str(first.data["home_id"])
    source = f"urn:evt:{home_id}"
    # A copy of a home signs, too. What it signs is nothing that the home itself would have to follow.
    listed = TrustedHomes().trusts(home.root)
    tree = TreeKeeping(
        home.tree, raw, SigningKeys(home_id, source, signing_key, remembers=listed), source
    )
    return Storage(log, raw, redactor, records, views, tree, source)
