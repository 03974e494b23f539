"""What is done to a run: at which of its system calls, on which files, of what kind; and a sample of it all."""

import hashlib
import random
from dataclasses import dataclass
from functools import partial

__all__ = ["DELAY_SECONDS", "ERRNOS", "SITES", "Case", "Site", "every_case", "sample"]

DELAY_SECONDS = 6  # batchgen mentions a disk that takes more than five
ERRNOS = ("EIO", "ENOSPC", "EDQUOT", "EROFS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Calls of one kind on some files. `most`: up to which of a thread's calls it is struck."""

    call: str
    files: str
    most: int
    bases: tuple[str, ...] = ("fresh", "crashed")
    errnos: tuple[str, ...] = ERRNOS


SITES = {
    "ledger-write": Site(call="write", files="ledger", most=24),
    "ledger-sync": Site(call="fdatasync", files="ledger", most=24),
    "ledger-cut": Site(call="ftruncate", files="ledger", most=1, bases=("torn",)),
    "aside-sync": Site(call="fdatasync", files="aside", most=1, bases=("torn",)),
    "aside-rename": Site(call="renameat", files="job", most=1, bases=("torn",)),
    "job-open": Site(call="openat", files="job", most=12),
    "job-sync": Site(call="fsync", files="job", most=1, bases=("fresh", "torn")),
    "image-create": Site(call="openat", files="images", most=8),
    "image-write": Site(call="write", files="parts", most=4),
    "image-sync": Site(call="fdatasync", files="parts", most=4),
    "image-close": Site(call="close", files="parts", most=4),
    "image-rename": Site(
        call="renameat", files="images", most=4, errnos=("EIO", "ENOSPC", "EROFS", "EXDEV", "EACCES", "ENOENT")
    ),
    "images-sync": Site(call="fsync", files="images", most=4),
    "images-list": Site(call="getdents64", files="images", most=2, bases=("crashed",), errnos=("EIO", "ESTALE")),
    "picture-read": Site(call="read", files="pictures", most=2, bases=("crashed",), errnos=("EIO", "ESTALE")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One injection. `base` is what the job folder was like before: fresh, crashed (killed before a rename), torn.

    `fault`: KILL, an errno, `delay`, or `short` (a file size limit, which `when` scales). `when`: at which call of each
    thread; `persistent`: at all further ones too.
    """

    base: str
    site: str
    fault: str
    when: int
    persistent: bool = False

    def __str__(self) -> str:
        return f"{self.base}/{self.site}/{self.fault}@{self.when}{'+' * self.persistent}"

    @classmethod
    def named(cls, name: str) -> "Case":
        """The case of a name."""
        base, site, rest = name.split("/")
        fault, _, when = rest.partition("@")
        return cls(base=base, site=site, fault=fault, when=int(when.rstrip("+")), persistent=when.endswith("+"))

    @property
    def in_doubt(self) -> str:
        """The policy of its manifest: each in about half of the cases."""
        return ("resend", "hold")[hashlib.sha256(str(self).encode()).digest()[0] % 2]

    @property
    def injection(self) -> str:
        """What strace is told."""
        known = {"KILL": "signal=KILL", "delay": f"delay_enter={DELAY_SECONDS}000000"}
        what = known.get(self.fault, f"error={self.fault}")
        return f"{SITES[self.site].call}:{what}:when={self.when}{'+' * self.persistent}"


def every_case() -> list[Case]:
    """The whole matrix."""
    found = []
    for name, site in SITES.items():
        for base in site.bases:
            for when in range(1, site.most + 1):
                one = partial(Case, base=base, site=name, when=when)
                found += [one(fault="KILL"), one(fault="delay")]
                found += [one(fault=fault, persistent=more) for fault in site.errnos for more in (False, True)]
    found += [Case(base="fresh", site="ledger-write", fault="short", when=when) for when in range(1, 26)]
    return [*found, Case(base="fresh", site="image-write", fault="short", when=1)]


def sample(count: int, seed: str) -> list[Case]:
    """Some of them: each site killed and failed, each errno, a few delays (they take their time), then what comes."""
    rng = random.Random(seed)  # noqa: S311  a sample
    by_kind: dict[tuple[str, str], list[Case]] = {}
    for case in every_case():
        fault = case.fault if case.fault in {"KILL", "delay", "short"} else "error"
        by_kind.setdefault((case.site, fault), []).append(case)
    delays = [kind for kind in by_kind if kind[1] == "delay"]
    for kind in rng.sample(delays, len(delays) - 2):
        del by_kind[kind]
    found = [rng.choice(cases) for cases in by_kind.values()]
    rest = [case for cases in by_kind.values() for case in cases if case not in found and case.fault != "delay"]
    return (found + rng.sample(rest, max(0, count - len(found))))[:count]
