"""What the user wrote: from the bytes of a YAML file to a checked manifest that knows where each value stands.

load         path -> Manifest: all of the following, in this order
source       bytes -> values, marks and what is wrong with the YAML itself
             (decode: bytes to text; compose: parser events to values; scalars: what unquoted text means;
             marks: where values stand; syntax: what the parser's complaints mean)
merge        profiles and `--set`
interpolate  `${NAME:-default}` from the environment that the caller passes in
schema       what a manifest may say (block, settings and fields are its parts)
rules        what no single field can see, such as two prompts with one id
wording      validation errors -> messages that name value, expectation and remedy
publish      the JSON Schema that editors use
template     `${{ }}` expressions, sandboxed; rendered when the plan is made
rows         csv, jsonl, text, images, inline; read when the plan is made
"""
