"""Exceptions of the client."""

from levy_schemas.problems import Problem


class ClientError(Exception):
    """Base class of the client's exceptions."""


class NoResponseError(ClientError):
    """The engine is unreachable or returned an invalid response."""


NoAnswerError = NoResponseError
"""Former name, deprecated."""


class ProblemError(ClientError):
    """The engine returned a problem.

    Attributes
    ----------
    problem : Problem
        The problem (RFC 9457): `code` identifies its type, `errors` the invalid fields.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.code} ({problem.status}): {problem.detail}")

    @property
    def code(self) -> str:
        """Code of the problem type, such as `unknown-model`."""
        return self.problem.code


class JobCancelledError(ClientError):
    """The job was cancelled."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was cancelled")


class WaitTimeoutError(ClientError):
    """The job has not ended within the time limit of `wait`; it continues."""

    def __init__(self, job_id: str, seconds: float) -> None:
        super().__init__(f"job {job_id} has not ended within {seconds:g} s and continues")


StillWorkingError = WaitTimeoutError
"""Former name, deprecated."""
