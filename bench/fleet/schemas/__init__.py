"""The documents of the API as pydantic models: strict types, bounds, and no field that is not known.

The names end in what they are: a `Body` is sent, a `Doc` is answered. What an agent tells of its device alone may have
further fields: newer agents and other drivers know more, and it is only shown.
"""

from __future__ import annotations

from pydantic import BaseModel

from bench.fleet.schemas.jobs import JobBody
from bench.fleet.schemas.leases import FailBody, HeartbeatBody, LookBody, ResultBody
from bench.fleet.schemas.runners import CapabilitiesBody, ReasonBody
from bench.fleet.schemas.tokens import EnrolBody, EnrolmentBody, TokenBody

BODIES: tuple[type[BaseModel], ...] = (
    *(CapabilitiesBody, EnrolBody, EnrolmentBody, FailBody, HeartbeatBody, JobBody, LookBody, ReasonBody, ResultBody),
    TokenBody,
)
