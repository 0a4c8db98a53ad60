"""What `shop-r1 data check` looks for: broken rows, labels off their page, doubles, leaks between splits, pairing."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located, SessionRow
from trainer.sessions.page import names_by_page
from trainer.sessions.pairing import PairingTest, count_names
from trainer.sessions.rules import Rules, faults_in
from trainer.sessions.schema import Session
from trainer.sessions.seen import Place, Seen
from trainer.sessions.split import Unit

Report = Callable[[BadRow], None]


class Audit:
    """Counts over session files, and a call for everything found wrong; holds no session."""

    def __init__(self, rules: Rules, apart: Unit, report: Report) -> None:
        """`apart` says what two files, being splits of one data set, must not share."""
        self._rules = rules
        self._apart = apart
        self._report = report
        self._seen = Seen()
        self._names: list[str] = []
        self.faults: Counter[Fault] = Counter()
        self.rows = 0
        """Lines of all files, bad ones too."""
        self.sessions = 0
        self.users = 0
        """Distinct users, those of several files counted once."""
        self.shared_users = 0
        """Users with sessions in several files."""
        self.without_user = 0
        self.steps = 0
        self.with_rationale = 0
        self.label_types: Counter[str] = Counter()
        self.pages = 0
        self.page_characters = 0
        self.longest_page = 0
        self.pairing = PairingTest(0, 0, 0)

    def add(self, rows: Iterable[SessionRow], name: str) -> None:
        """Read one file's rows, to the end."""
        self._names.append(name)
        for row in rows:
            self.rows += 1
            if isinstance(row, BadRow):
                self._found(row)
            else:
                self._examine(row)

    def close(self) -> None:
        """Let go of the index."""
        self._seen.close()

    def _examine(self, found: Located) -> None:
        session = found.session
        place = Place(len(self._names) - 1, found.line)
        pages = names_by_page(session)
        for fault in faults_in(session, self._rules, pages):
            self._found(found.bad(fault.fault, fault.pointer, fault.reason))
        if not self._is_new(found, place):
            return
        self.sessions += 1
        self._count_user(found, place)
        self._count_steps(session)
        self.pairing = PairingTest(*(a + b for a, b in zip(self.pairing, count_names(session, pages), strict=True)))

    def _is_new(self, found: Located, place: Place) -> bool:
        session = found.session
        if first := self._seen.first("session", session.session.encode(), place):
            where = f"the id {session.session!r} came before, at {self._names[first.file]}:{first.line}"
            fault = Fault.DUPLICATE_SESSION if first.file == place.file else Fault.LEAKED_SESSION
            self._found(found.bad(fault, "/session", where))
            return False
        first = self._seen.first("content", _content(session), place)
        if first is not None and first.file != place.file:
            where = f"the same steps are in another split, at {self._names[first.file]}:{first.line}"
            self._found(found.bad(Fault.LEAKED_CONTENT, "/steps", where))
        return True

    def _count_user(self, found: Located, place: Place) -> None:
        user = found.session.user
        if user is None:
            self.without_user += 1
            if self._apart == "user":
                self._found(found.bad(Fault.NO_USER, "/user", "without a user nobody can tell whether splits share it"))
            return
        first = self._seen.first("user", user.encode(), place)
        if first is None:
            self.users += 1
        elif first.file != place.file and self._seen.first("shared user", user.encode(), place) is None:
            self.shared_users += 1
            if self._apart == "user":
                where = f"the user {user!r} is in another split, at {self._names[first.file]}:{first.line}"
                self._found(found.bad(Fault.LEAKED_USER, "/user", where))

    def _count_steps(self, session: Session) -> None:
        for step in session.steps:
            self.steps += 1
            self.with_rationale += bool(step.rationale)
            action_type = step.action.get("type")
            known = isinstance(action_type, str) and action_type in self._rules.space
            self.label_types[str(action_type) if known else "other"] += 1
            if step.html:
                self.pages += 1
                self.page_characters += len(step.html)
                self.longest_page = max(self.longest_page, len(step.html))

    def _found(self, bad: BadRow) -> None:
        if bad.fault in self._rules.allowed:
            return
        self.faults[bad.fault] += 1
        self._report(bad)

    def as_dict(self) -> dict[str, Any]:
        """The counts, for `--json`."""
        return {
            "rows": self.rows,
            "sessions": self.sessions,
            "users": self.users,
            "users_in_several_files": self.shared_users,
            "sessions_without_user": self.without_user,
            "steps": self.steps,
            "steps_with_rationale": self.with_rationale,
            "label_types": dict(sorted(self.label_types.items())),
            "pages": self.pages,
            "mean_page_characters": self.page_characters / self.pages if self.pages else None,
            "longest_page_characters": self.longest_page,
            "pairing": {**self.pairing._asdict(), "verdict": self.pairing.verdict},
            "faults": {fault.value: count for fault, count in sorted(self.faults.items())},
        }


def _content(session: Session) -> bytes:
    """What a session shows and what was done in it, whatever it is called."""
    return orjson.dumps([[step.html, step.action] for step in session.steps], option=orjson.OPT_SORT_KEYS)
