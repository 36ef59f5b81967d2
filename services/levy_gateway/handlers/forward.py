"""Forward validated requests to an upstream service."""

from levy_gateway.clients import Reply, Upstream, UpstreamError
from levy_schemas.problems import MEDIA_TYPE


class Forward:
    """Forward requests to one upstream service.

    Parameters
    ----------
    upstream : Upstream
    deadline_seconds : float
        Longest deadline of a request.
    """

    def __init__(self, upstream: Upstream, deadline_seconds: float) -> None:
        self._upstream = upstream
        self.deadline_seconds = deadline_seconds

    async def __call__(self, path: str, body: bytes, seconds: float) -> Reply:
        """Send the body of a validated request unchanged and return the response.

        Raises
        ------
        UpstreamError
            The response is neither a result nor a problem.
        """
        reply = await self._upstream.request("POST", path, seconds=seconds, body=body)
        if reply.status != 200 and reply.media_type != MEDIA_TYPE:
            raise UpstreamError(self._upstream.name)
        return reply
