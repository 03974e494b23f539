"""The sandbox: an embedded provider that paints placeholder pictures over real HTTP, and can misbehave.

async with Sandbox(faults="flaky", seed=7) as sandbox:
    client = openai.AsyncOpenAI(base_url=sandbox.url, api_key="any")

server.py     Sandbox: routes, start and stop
exchange.py   one image request: authorise, read, judge, bill, paint, deliver
studio.py     what requests share         auth.py       the key
ask.py        what a client asks for      keys.py       idempotency keys
answer.py     answers in pieces           usage.py      tokens, list price, latency
bills.py      the bill log                faults.py     which fault strikes
misbehave.py  what a fault looks like
paint.py      a picture                   panel.py, frames.py, art.py, palette.py: its parts
typeset.py    text in a box               letters.py, fonts.py, bidi.py, hangul.py: its glyphs
"""

from batchgen.sandbox.faults import KINDS, PRESETS, FaultRule, check_faults, rules_of
from batchgen.sandbox.paint import paint
from batchgen.sandbox.server import Sandbox

__all__ = ["KINDS", "PRESETS", "FaultRule", "Sandbox", "check_faults", "paint", "rules_of"]
