import posixpath
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.plan import paths
from batchgen.plan.paths import PATH_LIMIT, PathError, default_path, extension, path_key, templated_path


def test_default_path_joins_the_take_with_a_dash():
    """The last part of the slot is part of the file name."""
    assert default_path("hero/mug/de-DE/square/v1", "png") == "images/hero/mug/de-DE/square-v1.png"


@pytest.mark.parametrize(
    ("name", "suffix"), [("png", "png"), ("jpeg", "jpg"), ("webp", "webp"), (None, "png"), ("x", "png")]
)
def test_extension_follows_the_requested_format(name, suffix):
    """The suffix of jpeg is `.jpg`; a provider that chooses gives png until its bytes say otherwise."""
    assert extension(name) == suffix


@pytest.mark.parametrize("written", ["a/b", "a/b.png", "a/b.JPG", "a/b.jpeg", "a/b.webp", " a/b.png "])
def test_written_extension_gives_way(written):
    """The extension is that of the format, whatever the template says."""
    assert templated_path(written, "png") == "images/a/b.png"


def test_other_dots_stay():
    """A version number is no extension."""
    assert templated_path("shot.v1.5", "png") == "images/shot.v1.5.png"


def test_bucket_goes_in_front():
    """The images of a period have a folder of their own."""
    assert templated_path("a.png", "png", "2026-W47") == "images/2026-W47/a.png"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "is empty"),
        ("../a", "has a part '..'"),
        ("a/../../b", "has a part '..'"),
        ("a/./b", "has a part '.'"),
        ("/etc/a", "is absolute"),
        ("a//b", "has a part ''"),
        ("a/", "has a part ''"),
        ("~/a", "begins with '~'"),
        (".superseded/a", "begins with '.'"),
        ("a/.b", "begins with '.'"),
        ("a./b", "ends in '.'"),
        ("a /b", "ends in ' '"),
        ("C:/a", "holds :"),
        ("a\\b", "holds \\"),
        ("a?", "holds ?"),
        ("con", "a device on Windows"),
        ("a/NUL.b/c", "a device on Windows"),
        ("com1.x", "a device on Windows"),
        ("LPT²", "a device on Windows"),
        ("conin$", "a device on Windows"),
        ("a\nb", "control character"),
        ("a\0b", "control character"),
        ("a\u202eb", "control character"),
        ("a\u200bb", "control character"),
        ("a\ud800b", "control character"),
        ("x" * 170, "has 181 bytes (at most 180)"),
        ("é" * 90, "has 191 bytes"),
        ("e" + "\u0301" * 200, "bytes (at most 180)"),
    ],
)
def test_unsafe_paths_are_refused(path, problem):
    """A path that leaves the folder, hides, is too long or breaks on some system is refused with the reason."""
    with pytest.raises(PathError) as caught:
        templated_path(path, "png")
    assert problem in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["a b/c d", "Käse/一只猫", "a-b_c.d", "console/auxiliary", "com10", "x" * 169])
def test_ordinary_paths_pass(path):
    """Spaces, other scripts and names that only look like devices are fine."""
    assert templated_path(path, "png") == f"images/{path}.png"


@given(st.text(alphabet=st.sampled_from("aCON1.-_~/\\: é\0\u202e"), max_size=12) | st.text(max_size=200))
def test_no_text_leads_out_of_images(text):
    """Whatever a template renders to, the path stays below images/ or is refused."""
    try:
        path = templated_path(text, "png")
    except PathError:
        return
    assert path == posixpath.normpath(path)
    assert path.startswith("images/")
    assert len(path.encode()) <= PATH_LIMIT


@given(st.text(alphabet=st.sampled_from("aconCON1lptNUL.-_/ ~"), max_size=10))
def test_the_short_cut_never_passes_what_the_rules_refuse(text):
    """The one-step check of ordinary paths agrees with the rules that are told in words."""
    if paths._ORDINARY.fullmatch(f"{text}/"):
        assert not paths._problem(text)


def test_path_key_folds_case_and_composition_and_format():
    """Paths that some file system takes for one have one key; so have two formats of one name."""
    keys = {path_key(f"images/{name}") for name in ("Käse.png", "KÄSE.jpg", unicodedata.normalize("NFD", "käse.webp"))}
    assert len(keys) == 1


def test_path_key_keeps_dots_before_the_extension():
    """Only the last extension is left out."""
    assert path_key("images/a.1.png") != path_key("images/a.2.png")
