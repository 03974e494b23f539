"""A manifest with mistakes is looked at as far as it still means what it meant."""

import pytest

from batchgen.errors import ManifestError
from batchgen.manifest.load import FlawedManifestError, load

HEAD = "version: 1\nname: job\n"


@pytest.fixture
def rest(tmp_path):
    """What is left of a manifest's text, or None."""

    def left(text, **options):
        path = tmp_path / "job.yaml"
        path.write_text(text)
        with pytest.raises(ManifestError) as caught:
            load(path, environ={}, **options)
        return caught.value.rest.document if isinstance(caught.value, FlawedManifestError) else None

    return left


@pytest.mark.parametrize(
    "text",
    [
        "name: spring launch\nprompts: [a]\n",
        f"{HEAD}prompts: [a]\nrequest: {{ seed: 3, size: 1x1 }}\n",
        f"{HEAD}prompts: [a]\nlimits: {{ concurrency: eight }}\nretry: 3\nlimts: {{}}\n",
        f"{HEAD}prompts: [{{ text: a, request: {{ qualty: low }} }}]\n",
        f"{HEAD}prompts: [a]\npost: [{{ format: webp }}]\nreview: 1\n",
        f"{HEAD}prompts: [a]\nprofiles: {{ draft: {{ repeat: 0 }} }}\n",
    ],
)
def test_what_nothing_hangs_on_is_left_out(rest, text):
    """Limits, an unknown parameter, another profile: the plan can be looked at without them."""
    assert len(rest(text).prompts) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}prompts: ['${{{{ look }}}}']\nvras: {{ look: soft }}\n",
        f"{HEAD}prompts: [a]\nvars: {{ job: x }}\n",
        f"{HEAD}prompts: [a]\naxes: {{ a: [1] }}\n",
        f"{HEAD}prompts: [a]\nrequest: {{ output_fromat: jpeg, output_compression: 9 }}\n",
        f"{HEAD}prompts: [a]\nrequest: {{ model: 3 }}\n",
        f"{HEAD}prompts: [a]\nrequest: 3\n",
        f"{HEAD}prompts: [{{ id: a, text: a }}, {{ id: a, text: b }}]\n",
        f"{HEAD}prompts: [a]\nrows: {{ csv: '${{X}}' }}\n",
        f"{HEAD}prompts: [a]\nrepeat: 2\nrepeat: 3\n",
        f"{HEAD}prompts: [{{ txt: a }}]\n",
        f"{HEAD}prompts: [a]\nlimits: {{ rpm: x }}\nmatrix: {{ a: 1 }}\n",
    ],
)
def test_a_mistake_never_makes_mistakes_of_others(rest, text):
    """Without variables every template is wrong: then nothing further is looked for."""
    assert rest(text) is None


def test_the_values_of_the_manifest_stay_as_they_are(rest):
    """Aliases share a block: leaving a key out of one copy leaves it in the other."""
    document = rest(f"{HEAD}vars: {{ r: &r {{ size: 1x1, seed: 3 }} }}\nrequest: *r\nprompts: [a]\n")
    assert document.vars["r"] == {"size": "1x1", "seed": 3}
    assert document.request.size == "1x1"


def test_with_an_unknown_profile_nothing_further_is_looked_for(rest):
    """The profile may give what seems to be missing."""
    assert rest(f"{HEAD}prompts: [a]\nprofiles: {{ draft: {{}} }}\n", profile="draf") is None
