import json

import pytest


@pytest.fixture
def taken_over(batchgen, place):
    """`taken_over(lines)` makes a manifest of prompts.jsonl; returns the paths below images/ and what was noted."""

    def take(lines, *arguments):
        (place / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        said = batchgen("init", "new", "--from", "prompts.jsonl", *arguments)
        assert said.code == 0, said.err
        plan = batchgen("plan", "new/jobs/prompts.yaml", "--json")
        assert plan.code == 0, plan.err
        return [json.loads(line)["path"].removeprefix("images/") for line in plan.out.splitlines()[1:]], said.err

    return take


@pytest.fixture
def refused(batchgen, place):
    """`refused(text)` is what is said about a file that cannot be taken over; nothing is written."""

    def refuse(text, *, name="prompts.jsonl"):
        (place / name).write_text(text)
        said = batchgen("init", "new", "--from", name)
        assert said.code == 2
        assert not (place / "new").exists()
        return [line.removeprefix("error: ") for line in said.err.splitlines() if line.startswith("error: ")]

    return refuse


def test_out_keeps_its_folders(taken_over):
    """Slashes of both kinds make folders; each part is cleaned, and `.` falls away."""
    outs = ["hero/red cup.png", "./hero/blue.png", "tray\\oak.png", "bowl"]
    paths, _ = taken_over([{"prompt": f"p{n}", "out": out} for n, out in enumerate(outs)])
    assert paths == ["hero/red-cup.png", "hero/blue.png", "tray/oak.png", "bowl.png"]


def test_a_line_without_out_is_named_after_its_prompt(taken_over):
    """The others keep the names they were given."""
    paths, said = taken_over([{"prompt": "a red cup", "out": "hero/cup.png"}, {"prompt": "a Blue cup!"}, "a tray"])
    assert paths == ["hero/cup.png", "a-blue-cup.png", "a-tray.png"]
    assert "note" not in said


def test_takes_get_a_folder_each(taken_over):
    """Two takes of one line do not share a file."""
    assert taken_over([{"prompt": "a", "out": "x/a.png"}], "--takes", "2")[0] == ["v1/x/a.png", "v2/x/a.png"]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [({"out": "a/b.jpg"}, "a/b.png"), ({"out": "b.png", "output_format": "webp"}, "b.webp")],
)
def test_an_ending_that_changes_is_noted(taken_over, line, becomes):
    """The picture's ending follows its format, and the first line that says otherwise is named."""
    paths, said = taken_over([{"prompt": "q", "out": "q.png"}, {"prompt": "p", **line}])
    assert paths[1] == becomes
    assert (
        f"1 of the names in 'out' do not end as the pictures do (line 2: '{line['out']}' becomes '{becomes}')" in said
    )


def test_jpg_and_jpeg_are_one_ending(taken_over):
    """No note where nothing changes."""
    _, said = taken_over([{"prompt": "p", "out": "a.jpeg", "output_format": "jpeg"}])
    assert "note" not in said


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("/srv/cup.png", "'/srv/cup.png' is an absolute path (expected one below images/)"),
        ("C:/cup.png", "'C:/cup.png' is an absolute path"),
        ("../cup.png", "'../cup.png' climbs with '..' (expected a path below images/); take it out"),
        ("con.png", "a device on Windows"),
        (" ", "is empty; give the file a name"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_its_line(refused, out, says):
    """Nothing outside images/, and nothing that the plan would refuse later."""
    [found] = refused('{"prompt": "a"}\n' + json.dumps({"prompt": "b", "out": out}))
    assert found.startswith("prompts.jsonl:2  out: ")
    assert says in found


def test_a_name_that_comes_twice_is_refused_with_both_lines(refused):
    """Also where only the case differs, and where the name was made of a prompt."""
    lines = [{"prompt": "a", "out": "Cup.png"}, {"prompt": "b", "out": "cup.jpg"}, {"prompt": "Cup"}]
    assert refused("\n".join(map(json.dumps, lines))) == [
        "prompts.jsonl:2  out: 'cup.jpg' is already that of line 1; give it another",
        "prompts.jsonl:3  no 'out', and the name made of its prompt is already that of line 1; give it another",
    ]


def test_a_line_without_prompt_names_itself_and_the_near_key(refused):
    """Every such line is named in one pass."""
    lines = ['{"prompt": "a"}', '{"promt": "b"}', '{"size": "1x1"}', '{"prompt": " "}']
    assert refused("\n".join(lines)) == [
        "prompts.jsonl:2  no 'prompt' (did you mean 'promt'?); rename it",
        "prompts.jsonl:3  no 'prompt' (keys: size); give the line one, or take it out",
        "prompts.jsonl:4  'prompt' is empty; write a prompt, or take the line out",
    ]


def test_a_misspelt_header_is_named_once(refused):
    """In a CSV the first line is where it is wrong."""
    [found] = refused("Prompt,size\na,1x1\nb,1x1\n", name="p.csv")
    assert found.startswith("p.csv:1  no 'prompt' (did you mean 'Prompt'?); rename it")


def test_bare_text_in_jsonl_is_refused_with_the_remedy(refused):
    """A forgotten quote must not become a paid picture of broken JSON."""
    assert refused('"a tray"\na red cup\n') == [
        'prompts.jsonl:2:1  is no JSON (expected an object or a text in double quotes); for a prompt write "a red cup"'
    ]


def test_broken_json_has_one_place(refused):
    """File, line and column of the file, as everywhere, and no second place in the words."""
    [found] = refused('"a tray"\n{"prompt": "cup" "size": 1}\n')
    assert found.startswith("prompts.jsonl:2:18  is no valid JSON: a comma is missing here")
    assert "char" not in found
