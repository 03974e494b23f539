"""All named hostile answers, with the class that each must lead to."""

from faults.delivered import DELIVERED
from faults.located import LOCATED
from faults.refusals import REFUSALS
from faults.undelivered import UNDELIVERED

CASES = DELIVERED | UNDELIVERED | REFUSALS | LOCATED
