"""What is worth saying about an image that came: gateways ignore sizes and formats. Pure; never a reason to reject."""

from batchgen.images.picture import Picture
from batchgen.provider.catalog import Provider
from batchgen.provider.check import size_policy
from batchgen.provider.encode import sent_params
from batchgen.provider.sizes import target
from batchgen.request import Request

__all__ = ["remarks"]

_SPELLINGS = {"jpg": "jpeg"}


def remarks(picture: Picture, request: Request, provider: Provider) -> tuple[str, ...]:
    """How the real picture differs from what was asked for: size, format, a doubtful end of the file."""
    params = sent_params(provider, request.params)
    size, wanted = str(params.get("size") or ""), str(params.get("output_format") or "")
    pixels = target(size_policy(provider, request), size)
    real = (picture.width, picture.height)
    found = []
    if pixels is not None and pixels != real:
        found.append(f"asked for {size}, got {picture.width}x{picture.height}")
    if wanted in {"png", "jpg", "jpeg", "webp"} and _SPELLINGS.get(wanted, wanted) != picture.format:
        found.append(f"asked for {wanted}, got {picture.format}")
    if picture.warning:
        found.append(picture.warning)
    return tuple(found)
