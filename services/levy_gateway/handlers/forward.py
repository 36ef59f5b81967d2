"""Forward validated requests to an upstream service."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from levy_gateway.clients import Reply, Upstream, UpstreamError
from levy_gateway.fair_queue import FairQueue
from levy_schemas.cost import Cost, Lane
from levy_schemas.problems import MEDIA_TYPE


@dataclass(frozen=True)
class Forwardable:
    """A validated request.

    Attributes
    ----------
    path : str
        Path at the upstream service.
    body : bytes
        The request as the client sent it.
    seconds : float
        Time limit.
    caller : str
    cost : Cost
    """

    path: str
    body: bytes
    seconds: float
    caller: str
    cost: Cost


@dataclass(frozen=True)
class LaneOfUpstream:
    """Access to an upstream service for requests of one lane.

    Attributes
    ----------
    upstream : Upstream
        With a separate circuit breaker: failures of long requests do not stop brief ones.
    queue : FairQueue
    """

    upstream: Upstream
    queue: FairQueue


class Forward:
    """Forward requests to one upstream service.

    Parameters
    ----------
    lanes : mapping of Lane to LaneOfUpstream
    deadline_seconds : float
        Longest deadline of a request.
    """

    def __init__(self, lanes: Mapping[Lane, LaneOfUpstream], deadline_seconds: float) -> None:
        self._lanes = lanes
        self.deadline_seconds = deadline_seconds

    async def __call__(self, request: Forwardable) -> Reply:
        """Send the body of a validated request unchanged and return the response.

        Raises
        ------
        OverloadedError
            Too many requests wait.
        UpstreamError
            The response is neither a result nor a problem.
        DeadlineError
        """
        lane = self._lanes[request.cost.lane]
        clock = asyncio.get_running_loop().time
        deadline = clock() + request.seconds
        async with lane.queue.slot(request.caller, request.cost, request.seconds) as succeeded:
            reply = await lane.upstream.request(
                "POST", request.path, seconds=deadline - clock(), body=request.body
            )
            if reply.status == 200:
                succeeded()
        if reply.status != 200 and reply.media_type != MEDIA_TYPE:
            raise UpstreamError(lane.upstream.name)
        return reply
