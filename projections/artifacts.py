"""artifacts: the files that were last written for each task."""

from pathlib import PurePosixPath
from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from schemas import names


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    data = event.data
    # The key is in lower case; the file bears the id as it was written.
    return {
        "task_id": PurePosixPath(data["path"]).name.removesuffix(".json"),
        "path": data["path"],
        "sha256": data["sha256"],
        "summary_path": data["summary_path"],
        "summary_sha256": data["summary_sha256"],
        "upto": data["upto"],
        "written_position": event.global_position,
    }


PROJECTION: Final = Projection(
    name="artifacts",
    version=1,
    types=frozenset({names.ARTIFACT_WRITTEN}),
    keys=by_task,
    apply=_apply,
)
