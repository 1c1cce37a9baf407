"""A key for each student: what is sealed with it becomes unreadable when the key is destroyed."""

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import BigInteger, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from database.base import Base, utc_now

_NONCE_BYTES = 12


class StudentKey(Base):
    """The key of one student.

    No foreign key to the student: cases and access both seal with it, and access does not import
    the tables of cases.
    """

    __tablename__ = "student_keys"
    student_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[bytes]
    created_at: Mapped[datetime]


class KeyRing:
    """Seal and open with students' keys, each of which is read once.

    Args:
        session: The keys are read and written in its transaction.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys: dict[int, bytes | None] = {}

    def create(self, student_ids: Iterable[int]) -> None:
        """Make keys for new students."""
        made = utc_now()
        for student_id in student_ids:
            key = AESGCM.generate_key(256)
            self._session.add(StudentKey(student_id=student_id, key=key, created_at=made))
            self._keys[student_id] = key

    def load(self, student_ids: Iterable[int]) -> None:
        """Read the keys of many students in few queries, before they are used one by one."""
        missing = sorted({one for one in student_ids if one not in self._keys})
        self._keys.update(dict.fromkeys(missing))
        for start in range(0, len(missing), 500):
            asked = select(StudentKey.student_id, StudentKey.key).where(
                StudentKey.student_id.in_(missing[start : start + 500])
            )
            self._keys.update({row.student_id: row.key for row in self._session.execute(asked)})

    def destroy(self, student_id: int) -> None:
        """Delete the key: nothing that was sealed with it can be opened again."""
        self._session.flush()
        self._session.execute(delete(StudentKey).where(StudentKey.student_id == student_id))
        self._keys[student_id] = None

    def has(self, student_id: int) -> bool:
        """Return whether the student's key exists, that is, whether it was never destroyed."""
        return self._key(student_id) is not None

    def seal(self, student_id: int, content: Any) -> bytes:
        """Encrypt JSON content under the student's key (AES-256-GCM, a new nonce each time).

        Raises:
            KeyError: The student has no key: erased, or not a student.
        """
        key = self._key(student_id)
        if key is None:
            raise KeyError(f"student {student_id} has no key")
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return nonce + AESGCM(key).encrypt(nonce, plain, str(student_id).encode())

    def open(self, student_id: int, sealed: bytes) -> Any:
        """Decrypt what `seal` returned; None where the student's key was destroyed.

        Raises:
            ValueError: The content was changed, or sealed for another student.
        """
        key = self._key(student_id)
        if key is None:
            return None
        nonce, cipher = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            plain = AESGCM(key).decrypt(nonce, cipher, str(student_id).encode())
        except InvalidTag:
            raise ValueError(f"sealed content of student {student_id} was altered") from None
        return json.loads(plain)

    def digest(self, student_id: int, content: str) -> str | None:
        """Return a keyed SHA-256 of `content` as hex; None where the key was destroyed."""
        key = self._key(student_id)
        if key is None:
            return None
        return hmac.new(key, b"digest:" + content.encode(), hashlib.sha256).hexdigest()

    def _key(self, student_id: int) -> bytes | None:
        if student_id not in self._keys:
            self._session.flush()
            self.load([student_id])
        return self._keys[student_id]
