from batchgen.plan.slots import generated_id, slot_name, slot_part


def test_generated_id_is_slug_and_hash():
    """A prompt without an id is called after its text: a slug of at most 40 characters and four hex digits."""
    name = generated_id("a stoneware mug on an oak table, morning light")
    words, _, digits = name.rpartition("-")
    assert words == "a-stoneware-mug-on-an-oak-table-morning"
    assert len(digits) == 4
    assert int(digits, 16) >= 0


def test_generated_id_ignores_outer_space():
    """A block scalar's last line break changes no slot."""
    assert generated_id("a mug\n") == generated_id("a mug")


def test_generated_id_tells_long_texts_apart():
    """Two texts that begin alike have two ids."""
    assert generated_id("word " * 20 + "a") != generated_id("word " * 20 + "b")


def test_generated_id_of_signs_has_a_word():
    """A text without letters still gets a name."""
    assert generated_id("!!!").startswith("prompt-")


def test_slot_ends_with_its_take():
    """Parts are joined by slashes; the take comes last."""
    assert slot_name(("hero", "mug"), 2) == "hero/mug/v2"


def test_empty_part_is_a_dash():
    """A slot has no empty part."""
    assert slot_part(" ") == "-"
