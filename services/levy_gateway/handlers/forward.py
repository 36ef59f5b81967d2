"""Passing a checked request on to the neighbour that computes."""

from levy_gateway.clients import Neighbour, NeighbourFailedError, Reply
from levy_schemas.problems import MEDIA_TYPE


class Forward:
    """Asks a neighbour within the time that a client is made to wait.

    Parameters
    ----------
    neighbour : Neighbour
        Who computes.
    deadline_seconds : float
        The longest that a client waits.
    """

    def __init__(self, neighbour: Neighbour, deadline_seconds: float) -> None:
        self._neighbour = neighbour
        self.deadline_seconds = deadline_seconds

    async def __call__(self, path: str, body: bytes, seconds: float) -> Reply:
        """Send a body on, as the client sent it; it is already checked.

        Parameters
        ----------
        path : str
            Of the neighbour.
        body : bytes
            JSON.
        seconds : float
            The longest to wait.

        Raises
        ------
        NeighbourFailedError
            The answer is neither a result nor a problem.
        """
        reply = await self._neighbour.ask("POST", path, seconds=seconds, body=body)
        if reply.status != 200 and reply.media_type != MEDIA_TYPE:
            raise NeighbourFailedError(self._neighbour.name)
        return reply
