"""What happens to a job before the power fails: runs, kills, disk errors, other manifests, careless users."""

import errno
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .check import Promises, is_refused, ledger_of, read
from .disk import Log, State, chance
from .folder import STEPS, Fault, Recorder
from .gateway import OUTCOMES, picture
from .site import JOB, Manifest, Site

FINE = ("png",) * 6 + ("webp", "jpeg")


@dataclass(kw_only=True)
class Story:
    """One job with its log so far; `before` are the promises from before the log began."""

    site: Site
    before: Promises

    @property
    def log(self) -> Log:
        return self.site.recorder.log

    def promises(self, cut: int | None = None) -> Promises:
        """Everything promised up to a cut of the log."""
        promises = self.before.copy()
        for op in self.log[:cut]:
            promises.take(op)
        return promises


Scene = Callable[[Site, random.Random], None]


def fresh(site: Site, rng: random.Random) -> None:
    """A first run, to its end; now and then somebody has made the folders for it."""
    if rng.random() < 0.3 and not site.folder.exists():
        site.recorder.user_makes(JOB)
        site.recorder.user_makes(f"{JOB}/images")
    site.run()


def killed(site: Site, rng: random.Random) -> None:
    """Runs that are killed at any step, and one after them on the same machine, where memory outlived the process."""
    for _ in range(rng.randint(1, 3)):
        site.recorder.fault = _kill(rng)
        site.run()
    site.run(outcomes=rng.choice((OUTCOMES, FINE)))


def aborted(site: Site, rng: random.Random) -> None:
    """A run that is interrupted twice, and one after it."""
    site.run(abort_after=rng.choice((0.05, 0.5, 2.0)))
    site.run()


def edited(site: Site, rng: random.Random) -> None:
    """A finished job whose manifest changes: other texts, other names, names that change places."""
    site.run(outcomes=FINE)
    for _ in range(rng.randint(1, 2)):
        _edit(site.manifest, rng)
        if rng.random() < 0.4:
            site.recorder.fault = _kill(rng)
            site.run()
        site.run(outcomes=rng.choice((OUTCOMES, FINE)))


def spoiled(site: Site, rng: random.Random) -> None:
    """A finished job whose files somebody deletes, cuts or retouches."""
    site.run(outcomes=FINE)
    for path in list(site.images()):
        if rng.random() < 0.5:
            _spoil(site, path, rng.choice(("delete", "cut", "retouch")))
    site.run(remake_altered=rng.random() < 0.5)


def decided(site: Site, rng: random.Random) -> None:
    """Doubts that somebody closes, images that somebody rejects or vouches for, with kills in between."""
    site.run()
    for _ in range(rng.randint(1, 2)):
        for path in list(site.images())[:2]:
            if rng.random() < 0.5:
                _spoil(site, path, "retouch")
        if rng.random() < 0.3:
            site.recorder.fault = Fault(kind="any", at=rng.randint(1, 15), kill=True)
        site.decide()
        site.run()


def faulty(site: Site, rng: random.Random) -> None:
    """Runs on a disk that fails, once or from then on, and one after them on the same machine."""
    for _ in range(rng.randint(1, 2)):
        site.recorder.fault = Fault(
            kind=rng.choice(STEPS),
            at=rng.randint(1, 30),
            number=rng.choice((errno.EIO, errno.ENOSPC)),
            persistent=rng.random() < 0.5,
        )
        site.run()
    site.run(outcomes=rng.choice((OUTCOMES, FINE)))


def unsynced(site: Site, rng: random.Random) -> None:
    """Runs on a disk that fails to sync, mostly once, and one after them where memory outlived the process."""
    for _ in range(rng.randint(1, 2)):
        site.recorder.fault = Fault(
            kind=rng.choice(("sync", "sync", "sync_entries")), at=rng.randint(1, 30), persistent=rng.random() < 0.2
        )
        site.run()
    site.run(outcomes=rng.choice((OUTCOMES, FINE)))


SCENES: dict[str, Scene] = {
    scene.__name__: scene for scene in (fresh, killed, aborted, edited, spoiled, decided, faulty, unsynced)
}


@contextmanager
def staged(scene: str, seed: str, root: Path) -> Iterator[Story]:
    """Play a scene below `root` (which is to be empty); every other one after the power failed at some earlier cut."""
    rng = chance(seed)
    base = root / "out"
    base.mkdir()
    recorder = Recorder(base=base, log=Log(), rng=rng)
    site = Site(recorder=recorder, rng=rng, manifest=_manifest(rng))
    SCENES[scene](site, rng)
    story = Story(site=site, before=Promises())
    if rng.random() < 0.5:
        story = _after_power_loss(story, rng, root / "again")
        SCENES[rng.choice(("fresh", "killed", "fresh", "aborted"))](story.site, rng)
    yield story


def _after_power_loss(story: Story, rng: random.Random, root: Path) -> Story:
    """The machine of a story loses its power at some cut and comes up again."""
    cuts = [(cut, disk.draw(rng)) for cut, disk in story.log.disks() if disk.uncertainty() or cut == len(story.log)]
    # From a refused ledger nobody goes on without a decision.
    cut, state = rng.choice([(cut, state) for cut, state in cuts if not is_refused(state)])
    return come_up(story, cut, state, rng, root)


def come_up(story: Story, cut: int, state: State, rng: random.Random, root: Path) -> Story:
    """The next story of a job: the machine is up again, with `state` on its disk."""
    base = root / "out"
    base.mkdir(parents=True)
    before = story.promises(cut)
    end = read(ledger_of(state)).end
    if end.verdict == "torn" and end.tail.strip(b"\0"):
        before.kept_aside.append(end.tail)
    recorder = Recorder.coming_up(base, state, rng)
    site = Site(
        recorder=recorder, rng=rng, manifest=story.site.manifest, boot=story.site.boot + 1, runs=story.site.runs
    )
    return Story(site=site, before=before)


def _kill(rng: random.Random) -> Fault:
    """A kill at any step, or at a sync: what is written there is in memory and nowhere else."""
    if rng.random() < 0.5:
        return Fault(kind="sync", at=rng.randint(1, 25), kill=True)
    return Fault(kind="any", at=rng.randint(1, rng.choice((6, 40, 120))), kill=True)


def _manifest(rng: random.Random) -> Manifest:
    return Manifest(policy=rng.choice(("resend", "resend", "hold")), at_once=rng.choice((1, 3, 6)))


def _edit(manifest: Manifest, rng: random.Random) -> None:
    key = rng.choice(list(manifest.prompts))
    match rng.choice(("text", "name", "swap")):
        case "text":
            manifest.prompts[key] += " again"
        case "name":
            manifest.prompts = {f"{name}x" if name == key else name: text for name, text in manifest.prompts.items()}
        case "swap":
            names, texts = list(manifest.prompts), list(manifest.prompts.values())
            manifest.prompts = dict(zip(names, texts[1:] + texts[:1], strict=True))


def _spoil(site: Site, path: str, how: str) -> None:
    recorder = site.recorder
    data = (recorder.base / path).read_bytes()
    recorder.mark("spoil", hashlib.sha256(data).hexdigest())
    if how == "delete":
        recorder.user_removes(path)
        return
    other = data[: len(data) // 2] if how == "cut" else picture(f"retouched {path}")
    recorder.mark("foreign", hashlib.sha256(other).hexdigest())
    recorder.user_writes(path, other)
