"""The manifest's JSON Schema: what editors complete, check and explain. Made from the models that validate.

Editors know Draft 7 and below, pydantic speaks 2020-12: what is used here differs only in the name of `$defs`.
"""

import json
from functools import cache
from typing import Any

from batchgen.manifest.schema import Document, RequestBlock

__all__ = ["job_schema", "schema_text"]

_DIALECT = "http://json-schema.org/draft-07/schema#"
_NOT_IN_PROFILES = frozenset({"version", "name", "profiles"})
_REFERENCE = "#/definitions/"
_RENAMED = {"$defs": "definitions"}


def schema_text() -> str:
    """The schema as the file `batchgen/schema/job.v1.json` holds it."""
    return json.dumps(job_schema(), indent=2, ensure_ascii=False) + "\n"


@cache
def job_schema() -> dict[str, Any]:
    """The schema of version 1. Shared: do not change it."""
    schema: dict[str, Any] = _draft_7(Document.model_json_schema())
    definitions: dict[str, Any] = schema.pop("definitions")
    request = definitions[RequestBlock.__name__]
    request["properties"] = {name: _with_null(item) for name, item in request["properties"].items()}
    schema["properties"]["profiles"] = _profiles(schema, definitions)
    head = {"$schema": _DIALECT, "title": "batchgen manifest, version 1"}
    return head | schema | {"definitions": definitions}


def _draft_7(node: Any) -> Any:
    """One part of pydantic's schema as editors should have it."""
    if isinstance(node, list):
        return [_draft_7(item) for item in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {
        _RENAMED.get(str(key), str(key)): _members(key, value)
        for key, value in node.items()
        if not _is_noise(key, value)
    }
    if "patternProperties" in made:
        made.setdefault("additionalProperties", False)
    if "$ref" in made:
        made["$ref"] = made["$ref"].replace("#/$defs/", _REFERENCE)
        # Draft 7 ignores what stands beside a reference, and with it the help.
        return made if len(made) == 1 else {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return _without_null(_as_any(made))


def _is_noise(key: str, value: Any) -> bool:
    """Generated titles hide the help; defaults that are null or whole blocks say nothing."""
    return (key == "title" and isinstance(value, str)) or (
        key == "default" and (value is None or isinstance(value, dict))
    )


def _as_any(node: dict[str, Any]) -> dict[str, Any]:
    """Branches that may overlap, such as a number and a template, are alternatives and not exclusive."""
    if all(set(choice) == {"required"} for choice in node.get("oneOf", ())):
        return node
    return {("anyOf" if key == "oneOf" else key): value for key, value in node.items()}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """Blocks refuse a key without a value, so nothing may be null."""
    if "anyOf" not in node:
        return node
    choices = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if len(choices) == 1:
        return {"allOf": choices, **rest} if "$ref" in choices[0] else choices[0] | rest
    return {"anyOf": choices, **rest}


def _members(key: str, value: Any) -> Any:
    if key in {"properties", "$defs"}:
        return {name: _draft_7(item) for name, item in value.items()}
    return _draft_7(value)


def _profiles(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A profile says part of what a manifest says: nothing is required, and `null` resets."""
    original = schema["properties"]["profiles"]
    properties = {name: item for name, item in schema["properties"].items() if name not in _NOT_IN_PROFILES}
    whole = {"type": "object", "properties": properties, "additionalProperties": False}
    definitions["Profile"] = _partial(whole, definitions, {}) | {"description": "Overrides of one profile."}
    return {"description": original["description"], "type": "object", "default": {}, **_named(original)}


def _named(original: dict[str, Any]) -> dict[str, Any]:
    pattern = next(iter(original["patternProperties"]))
    return {"patternProperties": {pattern: {"$ref": f"{_REFERENCE}Profile"}}, "additionalProperties": False}


def _partial(node: dict[str, Any], definitions: dict[str, Any], made: dict[str, str]) -> dict[str, Any]:
    """The node with nothing required and every member nullable; `made` names the definitions done so far."""
    left_out = {"required", "oneOf"} if "properties" in node else set()
    part = {key: value for key, value in node.items() if key not in left_out}
    for members in ("properties", "patternProperties"):
        if members in part:
            part[members] = {name: _nullable(item, definitions, made) for name, item in part[members].items()}
    if isinstance(part.get("additionalProperties"), dict):
        part["additionalProperties"] = _nullable(part["additionalProperties"], definitions, made)
    for choice in ("anyOf", "allOf"):
        if choice in part:
            part[choice] = [_partial(item, definitions, made) for item in part[choice]]
    if "$ref" in part:
        part["$ref"] = _partial_reference(part["$ref"], definitions, made)
    return part


def _nullable(node: dict[str, Any], definitions: dict[str, Any], made: dict[str, str]) -> dict[str, Any]:
    return _with_null(_partial(node, definitions, made))


def _with_null(node: dict[str, Any]) -> dict[str, Any]:
    """The node or `null`, with the help where editors look for it."""
    inner = {key: value for key, value in node.items() if key != "description"}
    return {"anyOf": [inner, {"type": "null"}]} | (
        {"description": node["description"]} if "description" in node else {}
    )


def _partial_reference(reference: str, definitions: dict[str, Any], made: dict[str, str]) -> str:
    name = reference.removeprefix(_REFERENCE)
    if name not in made:
        made[name] = f"Partial{name}"
        definitions[made[name]] = {}
        definitions[made[name]] = _partial(definitions[name], definitions, made)
    return _REFERENCE + made[name]
