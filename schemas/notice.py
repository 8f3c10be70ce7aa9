"""A notice for a person: queued, then sent or not."""

from typing import ClassVar

from schemas import names
from schemas.word import Fact


class NoticeQueued(Fact):
    """Stream `notice-<id>`; `notice_id` is the key that the outside shows."""

    TYPE: ClassVar[str] = names.NOTICE_QUEUED
    notice_id: str
    channel: str
    recipient: str
    text: str
    task_id: str | None = None


class NoticeSent(Fact):
    TYPE: ClassVar[str] = names.NOTICE_SENT
    notice_id: str
    receipt: str


class NoticeFailed(Fact):
    TYPE: ClassVar[str] = names.NOTICE_FAILED
    notice_id: str
    reason: str
    final: bool
